"""Zelto for Pipecat: an honest beginning.

The processor that collects a pipeline's call is not built yet; importing its name says so.
Until then, ``zelto_agents.Zelto`` takes the turns of a Pipecat bot by hand.
"""

from __future__ import annotations

from zelto_agents import Call, Zelto

__version__ = "0.1.0"
__all__ = ["Call", "Zelto", "__version__"]


def __getattr__(name: str) -> object:
    if name in ("ZeltoProcessor", "ZeltoObserver"):
        raise ImportError(
            f"pipecat_zelto.{name} is not built yet; collect the turns with zelto_agents.Zelto"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
