"""A stand-in for Zelto on this machine: its ingest API, its reads, and a page to look at.

It knows the wire contract and nothing else of this package.
"""

from __future__ import annotations

try:
    import fastapi as _fastapi  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        'the receiver needs an extra: pip install "zelto-agents[receiver]"', name=_missing.name
    ) from _missing

from zelto_agents.receiver.app import create_app
from zelto_agents.receiver.rehost import Limits
from zelto_agents.receiver.server import RunningReceiver, run_in_thread
from zelto_agents.receiver.store import Store

__all__ = ["Limits", "RunningReceiver", "Store", "create_app", "run_in_thread"]
