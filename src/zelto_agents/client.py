"""Zelto: the object that a host holds. It hands over what it is given; no I/O happens here."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, ClassVar, Self

from zelto_agents._delivery import Delivery
from zelto_agents._work import CallFacts, Enrichment, Upload
from zelto_agents.call import Call
from zelto_agents.contract import CallIngest
from zelto_agents.facts import AgentKnown, CallEnded, CallStarted, ChannelKnown, Fact, Source
from zelto_agents.fold import refusal
from zelto_agents.guard import guarded
from zelto_agents.settings import Settings

__all__ = ["Zelto"]

logger = logging.getLogger("zelto_agents")


class Zelto:
    """Takes conversations and delivers them, durably and in the background.

    Clients with the same settings share one thread. Nothing starts before the first call; after
    construction nothing raises. Without a usable key or base URL, calls are kept in the outbox
    and sent once there is one. At the end of the process, what waits gets ``shutdown_budget``
    seconds.

    Args:
        settings: everything at once; else the arguments, then the environment.
        hosts: names and versions of the frameworks in use, for the ``User-Agent``.
        arguments: single settings by name, such as ``api_key`` or ``outbox``.
    """

    _shared: ClassVar[Zelto | None] = None
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        hosts: Mapping[str, str] | None = None,
        **arguments: object,
    ) -> None:
        self.settings = settings or Settings.load(None, **arguments)
        self._delivery = Delivery.shared(self.settings)
        self._delivery.hosts.update(hosts or {})
        self._open = False

    @property
    def hosts(self) -> dict[str, str]:
        """Names and versions of the frameworks in use, for the ``User-Agent``."""
        return self._delivery.hosts

    @classmethod
    def shared(cls) -> Zelto:
        """The one of this process, made from the environment at its first use."""
        with cls._sharing:
            if cls._shared is None:
                cls._shared = cls()
            return cls._shared

    def call(
        self,
        external_id: str | None = None,
        *,
        agent_id: str | None = None,
        agent_uuid: str | None = None,
        agent_name: str | None = None,
        version: str | None = None,
        system_prompt: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        customer: Mapping[str, str] | None = None,
        recording_url: str | None = None,
        channel: str | None = None,
        redact: Callable[[str], str] | None = None,
        provider: str = "zelto",
        started_at: float | None = None,
    ) -> Call:
        """A new call; use it in a ``with`` block, or end it yourself.

        Args:
            external_id: your stable and unique id of the conversation; without one, a UUID.
            agent_id: your own stable id of the agent; else ``ZELTO_AGENT_ID``.
            agent_uuid: Zelto's id of an existing agent; beats ``agent_id``.
            agent_name: names the agent when its first call arrives.
            version: build or prompt revision, 1 to 255 characters.
            system_prompt: what the agent was told to be.
            metadata: free-form.
            customer: ``number`` and ``name`` of the person at the other end.
            recording_url: where the audio can be fetched.
            channel: ``text`` for a conversation without speech and times.
            redact: is given every text before it is written or sent anywhere.
            provider: ``zelto``, or ``livekit`` from its plugin.
            started_at: seconds since the epoch; now, by default.
        """
        self._announce()
        wanted = None if external_id is None else str(external_id)
        usable = wanted or str(uuid.uuid4())
        collected = CallFacts(redact)
        began = time.time() if started_at is None else started_at
        call = Call(usable, began, lambda fact: self._take(collected, fact))
        call.add(CallStarted(at=began, external_id=usable, provider=provider))
        if wanted == "":
            logger.error("external_id is empty; the call is kept as %s: pass a unique id", usable)
            call.metadata({"zelto": {"refused": {"externalId": {"value": "", "why": "empty"}}}})
        _check("version", version, "argument version")
        _check("agentId", agent_uuid, "argument agent_uuid")
        _check("recordingUrl", recording_url, "argument recording_url")
        self._introduce(call, "argument", agent_id, version, uuid=agent_uuid, name=agent_name)
        self._introduce(call, "environment", self.settings.agent_id, self.settings.agent_version)
        if channel == "text":
            call.add(ChannelKnown(at=began, channel="text"))
        if system_prompt:
            call.prompt(system_prompt)
        if metadata:
            call.metadata(metadata)
        if customer:
            call.customer(customer.get("number"), customer.get("name"))
        if recording_url:
            call.recording(recording_url)
        return call

    def _introduce(
        self,
        call: Call,
        source: Source,
        agent_id: str | None,
        version: str | None,
        *,
        uuid: str | None = None,
        name: str | None = None,
    ) -> None:
        if agent_id or version or uuid or name:
            call.add(
                AgentKnown(
                    at=call.started_at,
                    source=source,
                    external_id=agent_id or None,
                    uuid=uuid or None,
                    name=name or None,
                    version=version or None,
                )
            )

    def _take(self, collected: CallFacts, fact: Fact) -> None:
        if self.settings.enabled:
            self._delivery.hand_over((collected, fact), urgent=isinstance(fact, CallEnded))

    @guarded
    def enrich(
        self,
        external_id: str,
        *,
        recording_url: str | None = None,
        cost: float | None = None,
        ended_reason: str | None = None,
        customer: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what became known after the end, and send the whole document again.

        From any process with the same outbox, while the call is kept (``ZELTO_RETAIN``), or
        before it has ended. ``cost`` is in US dollars.
        """
        refused: dict[str, Any] = {}
        call: dict[str, Any] = {"endedReason": ended_reason}
        for name, argument, value in (
            ("recordingUrl", "recording_url", recording_url),
            ("cost", "cost", cost),
        ):
            why = value is not None and _check(name, value, f"argument {argument}")
            if why:
                refused[name] = {"value": str(value)[:1000], "why": why}
            else:
                call[name] = value
        if customer:
            call["customer"] = {k: str(customer[k]) for k in ("number", "name") if customer.get(k)}
        changes: dict[str, Any] = {"call": {k: v for k, v in call.items() if v is not None}}
        if metadata or refused:
            changes["metadata"] = dict(metadata or {})
        if refused:
            changes["metadata"]["zelto"] = {"refused": refused}
        self._announce()
        if self.settings.enabled:
            self._delivery.hand_over(Enrichment(str(external_id), changes))

    @guarded
    def upload(
        self, body: Mapping[str, Any] | bytes | CallIngest, *, provider: str = "zelto"
    ) -> None:
        """Deliver a body of your own through the outbox; a native one goes out unchanged.

        Args:
            body: a canonical document, or with ``provider`` ``vapi`` or ``retell`` that
                provider's own webhook body. Do not change it afterwards.
            provider: the value of ``X-Zelto-Provider``.
        """
        self._announce()
        if self.settings.enabled:
            self._delivery.hand_over(Upload(body, provider))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was handed over is durable and was tried once.

        Args:
            timeout: seconds at the most; the shutdown budget by default.

        Returns:
            Whether all of it has arrived. False is no loss: what waits is sent later.
        """
        return self._delivery.wait(self.settings.shutdown_budget if timeout is None else timeout)

    async def aflush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as flush
        """``flush`` for async code; the event loop goes on meanwhile."""
        budget = self.settings.shutdown_budget if timeout is None else timeout
        done: Future[bool] = self._delivery.flush()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(done), budget)
        except TimeoutError:
            self._delivery.overran()
            return False

    def close(self) -> None:
        """Flush within the shutdown budget; the last client to close ends the thread.

        A later call starts it again.
        """
        if self._open:
            self._open = False
            self._delivery.leave(self.settings.shutdown_budget)

    async def aclose(self) -> None:
        """``close`` for async code."""
        await self.aflush()
        await asyncio.to_thread(self.close)

    def _announce(self) -> None:
        """Be a client of the thread from now on, and say once what is wrong with the settings."""
        if not self._open:
            self._open = True
            self._delivery.join()
        if self._delivery.announced:
            return
        self._delivery.announced = True
        settings = self.settings
        if not settings.enabled:
            return
        for problem in settings.problems:
            logger.error("%s; calls are kept in %s", problem, settings.outbox)
        if settings.api_key is None:
            logger.warning(
                "ZELTO_API_KEY is not set: calls are kept in %s and sent once it is",
                settings.outbox,
            )
        if settings.agent_version:
            _check("version", settings.agent_version, settings.sources["agent_version"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _check(field: str, value: object, source: str) -> str | None:
    """Why a value cannot be sent in this field, said once, here; the call goes on without it."""
    why = None if value is None else refusal(field, value)
    if why:
        logger.error(
            "%s cannot be sent as %s (%s); "
            "the call is sent without it, and the value is in metadata.zelto.refused",
            source,
            field,
            why,
        )
    return why
