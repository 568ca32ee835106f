"""A caller and models for Pipecat that follow a script."""

from .answering import ScriptedLLM, ScriptedTTS
from .call import ScriptedCall
from .hearing import ScriptedSTT, ScriptedVAD, TelephoneSTT
from .line import ScriptedTransport

__all__ = [
    "ScriptedCall",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedTransport",
    "ScriptedVAD",
    "TelephoneSTT",
]
