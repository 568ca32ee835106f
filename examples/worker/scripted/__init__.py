"""A caller and models that follow a script: a voice agent without keys, servers or downloads."""

from .answering import ScriptedLLM, ScriptedTTS
from .call import ScriptedCall
from .hearing import ScriptedSTT, ScriptedVAD
from .script import Caller, CallerLine, Reply, Script, Spoken

__all__ = [
    "Caller",
    "CallerLine",
    "Reply",
    "Script",
    "ScriptedCall",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedVAD",
    "Spoken",
]
