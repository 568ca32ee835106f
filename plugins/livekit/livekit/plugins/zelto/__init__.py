"""Zelto for LiveKit Agents: one line after ``AgentSession(...)`` sends every finished call.

```python
from livekit.plugins import zelto

session = AgentSession(...)
zelto.attach(session, agent_id="support")
```

And one line after ``AgentServer()`` lets the worker deliver while no call is on:

```python
server = AgentServer()
zelto.install(server)
```
"""

from __future__ import annotations

import threading

from livekit.agents import Plugin

from ._attach import attach
from ._install import install
from .log import logger
from .version import __version__

__all__ = ["__version__", "attach", "install"]


class ZeltoPlugin(Plugin):
    """Makes the worker list this package among its plugins and load it ahead of the jobs."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)


# LiveKit refuses registration elsewhere, and an import inside a job thread must not fail.
if threading.current_thread() is threading.main_thread():
    Plugin.register_plugin(ZeltoPlugin())
