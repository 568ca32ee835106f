"""``install``: a worker's main process delivers what its jobs leave behind."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from livekit.agents import AgentServer

from zelto_agents import Settings, Zelto
from zelto_agents.guard import guarded

from ._job import SDK
from .log import logger

if TYPE_CHECKING:
    from ._worker import WorkersWatch

__all__ = ["install"]

# Seconds between two looks at whether a worker that lost its connection has ended.
CLOSED_WITHIN = 0.5

_servers: weakref.WeakSet[AgentServer] = weakref.WeakSet()


@guarded
def install(server: AgentServer, *, zelto: Zelto | None = None) -> None:
    """Deliver from the worker's main process, too, for as long as the worker runs.

    Calls that a job could not send, and calls of jobs that were killed, then need no next call:
    they are delivered while the worker idles, and once more when it shuts down, for at most
    ``ZELTO_SHUTDOWN_BUDGET`` seconds. To be called once, at module level; nothing starts before
    the worker does, and only in its main process. Never raises.

    Args:
        server: the worker.
        zelto: whose settings hold; the process's own client by default.
    """
    if server not in _servers:
        settings = zelto.settings if zelto else None
        server.on("worker_started", _Installed(server, settings).on_started)
        _servers.add(server)


class _Installed:
    """What one server has installed.

    Can be pickled: to reload, ``dev`` of livekit-agents 1.5 hands the server, with those who
    listen to it, to another process.

    Args:
        server: the worker.
        settings: what to deliver with; those of the process's own client by default.
    """

    def __init__(self, server: AgentServer, settings: Settings | None) -> None:
        self._server = server
        self._settings = settings
        self._watch: WorkersWatch | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_server": self._server, "_settings": self._settings, "_watch": None}

    @guarded
    def on_started(self) -> None:
        """The worker runs; called within its task, in the main process."""
        settings = self._settings or Zelto.shared().settings
        if self._watch is not None or not settings.enabled:
            return
        _announce(settings)
        from ._worker import WorkersWatch  # jobs import this module, too, and need it not

        watch = WorkersWatch(settings, hosts=SDK)
        watch.start()
        self._watch = watch
        # There is no event for the end of a worker; but the task that runs it is over then.
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(self._on_ended)

    @guarded
    def _on_ended(self, _: asyncio.Task[Any]) -> None:
        # Not a daemon: the process ends after it, and the event loop goes on meanwhile. But a
        # worker that only gave up its connection may have jobs for an hour.
        closed = self._closed()
        threading.Thread(target=self._end, name="zelto-end", daemon=not closed).start()

    @guarded
    def _end(self) -> None:
        while not self._closed():
            time.sleep(CLOSED_WITHIN)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()

    def _closed(self) -> bool:
        return bool(getattr(self._server, "_closed", True))


@guarded
def _announce(settings: Settings) -> None:
    for problem in settings.problems:
        logger.error("%s", problem)
    if settings.api_key is None:
        logger.warning(
            "ZELTO_API_KEY is not set (or not usable): the worker's main process delivers nothing"
        )
        return
    if settings.base_url is None:
        return
    place = str(settings.outbox) if settings.postgres is None else "the database of ZELTO_OUTBOX"
    logger.info("watching %s for %s", place, settings.base_url)
