"""A call that follows a script: a voice agent without keys, servers or downloads."""

from .script import Caller, CallerLine, Reply, Script, Spoken

__all__ = ["Caller", "CallerLine", "Reply", "Script", "Spoken"]
