"""``attach``: from an ``AgentSession`` to a call."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from livekit.agents import AgentSession, JobContext

from zelto_agents import Call, CallIngest, Zelto

from . import _job
from ._session import SessionWatch
from .log import logger

if TYPE_CHECKING:
    from zelto_agents.cost import Prices

__all__ = ["attach"]

_lock = threading.RLock()
_watches: weakref.WeakKeyDictionary[AgentSession[Any], SessionWatch] = weakref.WeakKeyDictionary()


def attach(
    session: AgentSession[Any],
    ctx: JobContext | None = None,
    *,
    external_id: str | None = None,
    agent_id: str | None = None,
    agent_uuid: str | None = None,
    agent_name: str | None = None,
    version: str | None = None,
    system_prompt: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    customer: Mapping[str, str] | None = None,
    recording_url: str | None = None,
    redact: Callable[[str], str] | None = None,
    filter: Callable[[CallIngest], bool] | None = None,  # noqa: A002 - what it is
    prices: Prices | None = None,
    cost: float | None = None,
    zelto: Zelto | None = None,
) -> Call:
    """Collect this session and send it to Zelto when it ends. Never raises; costs microseconds.

    Before or after ``session.start()``, inside or outside a job, once or twice: all the same.

    Args:
        session: the session to collect.
        ctx: the job; found by itself inside an entrypoint.
        external_id: your own unique id of the call, else the job's id; a session that is started
            again, and further sessions of a job, get ``-2``, ``-3`` behind it.
        agent_id: your own stable id of the agent; else ``ZELTO_AGENT_ID``, else the name that
            the agent was dispatched under, else the first agent's ``id``.
        agent_uuid: Zelto's id of an existing agent; beats ``agent_id``.
        agent_name: names the agent when its first call arrives.
        version: build or prompt revision, 1 to 255 characters.
        system_prompt: instead of the first agent's instructions.
        metadata: free-form.
        customer: ``number`` and ``name`` of the caller, instead of what the room tells.
        recording_url: where the audio can be fetched.
        redact: is given every text before it is written or sent anywhere.
        filter: is given the document at the end; False, and nothing is sent or kept of it. If it
            raises, the call is sent; and unasked, one that is adopted after its process died.
        prices: of your own, for what the models consumed: a mapping, or a function from a part
            of the usage to dollars; else those of ``ZELTO_PRICES``, else published ones.
        cost: what the call costs in all, in US dollars, if you know; beats all prices.
        zelto: another client than the process's own.

    Returns:
        The call, for what only your code knows: ``call.metadata({...})``, ``call.recording(url)``.
        A session that is started again has another call: attach again, and that is returned.
    """
    try:
        if _is_session(session):
            with _lock:
                return _watched(
                    session,
                    _usable(ctx) or _job.job_context(),
                    zelto or Zelto.shared(),
                    external_id,
                    agent_id=agent_id,
                    agent_uuid=agent_uuid,
                    agent_name=agent_name,
                    version=version,
                    system_prompt=system_prompt,
                    metadata=metadata,
                    customer=customer,
                    recording_url=recording_url,
                    redact=redact,
                    filter=filter,
                    prices=prices,
                    cost=cost,
                ).call
    except Exception as fault:  # noqa: BLE001 - the call comes first
        logger.error("attach failed (%s); this call is not collected", type(fault).__name__)
    return Call(external_id or "", time.time(), lambda _: None)


def _is_session(session: object) -> bool:
    known = isinstance(session, AgentSession)
    if not known:
        logger.error(
            "session must be an AgentSession, not %s: this call is not collected",
            type(session).__name__,
        )
    return known


def _usable(ctx: object) -> JobContext | None:
    if isinstance(ctx, JobContext) or ctx is None:
        return ctx
    logger.error("ctx must be a JobContext, not %s: left out", type(ctx).__name__)
    return None


def _watched(
    session: AgentSession[Any],
    ctx: JobContext | None,
    client: Zelto,
    external_id: str | None,
    **options: Any,
) -> SessionWatch:
    known = _watches.get(session)
    if known is not None:
        return known
    for name, version in _job.SDK.items():
        client.hosts.setdefault(name, version)
    runs = itertools.count(1)

    def open_call() -> Call:
        run = next(runs)
        if external_id is None:
            wanted = _job.external_id(ctx)
        else:  # each run of a session is a call of its own, and needs an id of its own
            wanted = external_id if run == 1 else f"{external_id}-{run}"
        of_this_run = options if run == 1 else options | {"recording_url": None, "cost": None}
        call = client.call(wanted, provider="livekit", **of_this_run)
        _job.introduce(call, ctx)
        return call

    watch = SessionWatch(session, ctx, client, open_call)
    _watches[session] = watch
    watch.start()
    return watch
