"""A caller and models for LiveKit that follow a script."""

from .answering import ScriptedLLM, ScriptedTTS
from .call import ScriptedCall
from .hearing import ScriptedSTT, ScriptedVAD

__all__ = ["ScriptedCall", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "ScriptedVAD"]
