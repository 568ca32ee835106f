"""What a job knows of its call: ids, names, versions, tags."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import Any

from livekit.agents import JobContext, get_job_context
from livekit.agents import __version__ as livekit_version

from zelto_agents import Call
from zelto_agents.facts import AgentKnown, MetadataKnown
from zelto_agents.guard import guarded

from .version import __version__

__all__ = ["SDK", "external_id", "introduce", "is_ending", "job_context", "verdict"]

SDK = {"livekit-agents": livekit_version, "livekit-plugins-zelto": __version__}

_lock = threading.Lock()
_sessions_of_job: weakref.WeakKeyDictionary[JobContext, int] = weakref.WeakKeyDictionary()


def job_context() -> JobContext | None:
    """The job whose entrypoint this runs in, or None outside of jobs."""
    try:
        return get_job_context()
    except RuntimeError:
        return None


def external_id(ctx: JobContext | None) -> str:
    """The job's id, with ``-2``, ``-3`` for further sessions; room names repeat, job ids do not."""
    job_id = ctx.job.id if ctx is not None else ""
    if ctx is None or not job_id:
        return str(uuid.uuid4())
    with _lock:
        number = _sessions_of_job[ctx] = _sessions_of_job.get(ctx, 0) + 1
    return job_id if number == 1 else f"{job_id}-{number}"


def introduce(call: Call, ctx: JobContext | None) -> None:
    """Tell the call what its job knows from the first moment on."""
    sdk = {"zelto": {"sdk": SDK}}
    call.add(MetadataKnown(at=call.started_at, values=sdk, technical=True))
    if ctx is not None:
        job = ctx.job
        known = {
            "jobId": job.id,
            "dispatchId": job.dispatch_id,
            "roomName": job.room.name,
            "roomSid": job.room.sid,
            "agentName": job.agent_name,
            "deployment": getattr(job, "deployment", ""),
        }
        # The console's room is made of mocks.
        values = {k: v for k, v in known.items() if v and isinstance(v, str)}
        call.add(MetadataKnown(at=call.started_at, values={"livekit": values}))
        if name := job.agent_name:
            call.add(AgentKnown(at=call.started_at, external_id=name, name=name))


@guarded
def is_ending(ctx: JobContext | None) -> bool | None:
    """Whether the job has been told to end; None where LiveKit does not let it be known.

    A job closes its session with the same words as the user's code does, and minutes may pass
    between that and its shutdown callbacks (ipc/job_proc_lazy_main.py).
    """
    for cell in getattr(getattr(ctx, "_on_shutdown", None), "__closure__", None) or ():
        told = getattr(cell.cell_contents, "_shutdown_fut", None)
        if told is not None:
            return bool(told.done())
    return None


@guarded
def verdict(ctx: JobContext | None) -> dict[str, Any]:
    """Tags and outcome that the user's code gave to the job so far."""
    tagger = getattr(ctx, "tagger", None)
    if tagger is None:
        return {}
    # LiveKit keeps the outcome as a tag; some versions have no other word for it.
    tags = set(tagger.tags)
    outcome = next((word for word in ("success", "fail") if f"lk.{word}" in tags), None)
    known = {
        "tags": sorted(tags - {"lk.success", "lk.fail"}),
        "outcome": outcome,
        "outcomeReason": getattr(tagger, "outcome_reason", None),
    }
    return {name: value for name, value in known.items() if value}
