"""The version, in lockstep with ``zelto-agents``."""

__version__ = "0.1.0"
