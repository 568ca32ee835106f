"""``attach``: from an ``AgentSession`` to a call."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from livekit.agents import AgentSession, JobContext, get_job_context
from livekit.agents import __version__ as livekit_version

from zelto_agents import Call, Settings, Zelto
from zelto_agents.facts import AgentKnown, MetadataKnown

from ._session import SessionWatch
from .log import logger
from .version import __version__

_lock = threading.Lock()
_watches: weakref.WeakKeyDictionary[AgentSession[Any], SessionWatch] = weakref.WeakKeyDictionary()
_sessions_of_job: weakref.WeakKeyDictionary[JobContext, int] = weakref.WeakKeyDictionary()


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
    zelto: Zelto | None = None,
) -> Call:
    """Collect this session and send it to Zelto when it ends. Never raises; costs microseconds.

    Before or after ``session.start()``, inside or outside a job, once or twice: all the same.

    Args:
        session: the session to collect.
        ctx: the job; found by itself inside an entrypoint.
        external_id: your own unique id of the call; the job's id by default.
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
        zelto: another client than the process's own.

    Returns:
        The call, for what only your code knows: ``call.metadata({...})``, ``call.recording(url)``.
    """
    try:
        return _watched(
            session,
            ctx or _job_context(),
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
        ).call
    except Exception as fault:  # noqa: BLE001 - the call comes first
        logger.error("attach failed (%s); this call is not collected", type(fault).__name__)
        return Zelto(settings=Settings(enabled=False)).call()


def _watched(
    session: AgentSession[Any],
    ctx: JobContext | None,
    client: Zelto,
    external_id: str | None,
    **options: Any,
) -> SessionWatch:
    with _lock:
        known = _watches.get(session)
    if known is not None:
        return known
    client.hosts.setdefault("livekit-agents", livekit_version)
    client.hosts.setdefault("livekit-plugins-zelto", __version__)

    def open_call() -> Call:
        wanted = _external_id(ctx) if external_id is None else external_id
        call = client.call(wanted, provider="livekit", **options)
        _describe(call, ctx)
        return call

    watch = SessionWatch(session, ctx, client, open_call)
    with _lock:
        _watches[session] = watch
    watch.start()
    return watch


def _job_context() -> JobContext | None:
    try:
        return get_job_context()
    except RuntimeError:  # outside a job
        return None


def _external_id(ctx: JobContext | None) -> str:
    """The job's id, with ``-2``, ``-3`` for further sessions; room names repeat, job ids do not."""
    job_id = ctx.job.id if ctx is not None else ""
    if ctx is None or not job_id:
        return str(uuid.uuid4())
    with _lock:
        number = _sessions_of_job[ctx] = _sessions_of_job.get(ctx, 0) + 1
    return job_id if number == 1 else f"{job_id}-{number}"


def _describe(call: Call, ctx: JobContext | None) -> None:
    """What the job knows from its first moment on."""
    sdk = {"livekit-agents": livekit_version, "livekit-plugins-zelto": __version__}
    values: dict[str, Any] = {"zelto": {"sdk": sdk}}
    if ctx is not None:
        job = ctx.job
        values["livekit"] = {
            name: value
            for name, value in {
                "jobId": job.id,
                "dispatchId": job.dispatch_id,
                "roomName": job.room.name,
                "roomSid": job.room.sid,
                "agentName": job.agent_name,
            }.items()
            if value
        }
        if job.agent_name:
            name = job.agent_name
            call.add(AgentKnown(at=call.started_at, external_id=name, name=name))
    call.add(MetadataKnown(at=call.started_at, values=values))
