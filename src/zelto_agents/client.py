"""Zelto: the object that a host holds. It hands over what it is given; no I/O happens here."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from zelto_agents._delivery import Delivery
from zelto_agents._items import CallFacts, EgressOver, Enrichment, Sound, Upload
from zelto_agents._refused import check, note, text_of
from zelto_agents._sampling import sampled
from zelto_agents._telling import changes_of, describe, haste_of, introduce
from zelto_agents.call import Call, awaited_recordings, epoch
from zelto_agents.contract import CallIngest
from zelto_agents.facts import CallStarted, Fact
from zelto_agents.guard import guarded
from zelto_agents.settings import Settings, environment

if TYPE_CHECKING:
    from zelto_agents.cost import Prices

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
        filter: Callable[[CallIngest], bool] | None = None,  # noqa: A002 - what it is
        prices: Prices | None = None,
        cost: float | None = None,
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
            redact: is given every text before it is written or sent anywhere; else what
                ``ZELTO_REDACT`` asks for is taken out.
            filter: is given the document at the end; False, and nothing is sent or kept of it.
                Asked once for each id, in the delivery thread. If it raises, the call is sent; and
                unasked, one that is adopted after its process died.
            prices: of your own, for what the models consumed: a mapping, or a function from a part
                of the usage to dollars; else those of ``ZELTO_PRICES``, else published ones.
            cost: what the call costs in all, in US dollars, if you know; beats all prices.
            provider: ``zelto``, or ``livekit`` from its plugin.
            started_at: seconds since the epoch; now, by default.
        """
        wanted = None if external_id is None else text_of(external_id)
        usable = wanted or str(uuid.uuid4())
        collected = CallFacts(redact, filter, prices, skipped=not self._samples(usable))
        call = Call(
            usable,
            epoch(started_at),
            lambda fact: self._take(collected, fact),
            self._take_sound if self.settings.recordings and not collected.skipped else None,
        )
        self._announce()
        call.add(CallStarted(at=call.started_at, external_id=usable, provider=provider))
        if wanted == "":
            logger.error("external_id is empty; the call is kept as %s: pass a unique id", usable)
            call.metadata({"zelto": {"refused": {"externalId": note("", "empty")}}})
        introduce(call, "argument", agent_id, version, uuid=agent_uuid, name=agent_name)
        introduce(call, "environment", self.settings.agent_id, self.settings.agent_version)
        describe(call, channel, system_prompt, metadata, customer, recording_url)
        if cost is not None:
            call.cost(cost)
        return call

    def _samples(self, external_id: str) -> bool:
        wanted = sampled(external_id, self.settings.sample)
        if not wanted:
            logger.debug("call %s is not sampled: nothing of it is kept", external_id)
        return wanted

    def _take(self, collected: CallFacts, fact: Fact) -> None:
        if self.settings.enabled and not collected.skipped:
            self._delivery.hand_over((collected, fact), haste=haste_of(collected, fact))

    def _take_sound(self, sound: Sound) -> None:
        if self.settings.enabled:
            self._delivery.hand_over_sound(sound)

    @guarded
    def enrich(
        self,
        external_id: str,
        *,
        recording_url: str | None = None,
        recording: Mapping[str, str] | None = None,
        cost: float | None = None,
        ended_reason: str | None = None,
        customer: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what became known after the end, and send the whole document again.

        From any process with the same outbox, while the call is kept (``ZELTO_RETAIN``), or
        before it has ended.

        Args:
            external_id: the call's.
            recording_url: where the audio can be fetched.
            recording: where it is otherwise, as of ``Call.recording``: ``{"file": path}``, or an
                id by ``egress``, ``twilio`` or ``daily``.
            cost: what the call cost in all, in US dollars.
            ended_reason: how it ended.
            customer: ``number`` and ``name`` of the person at the other end.
            metadata: free-form, merged deeply into what is there.
        """
        if not self._samples(text_of(external_id)):
            return
        changes = changes_of(
            {"recordingUrl": recording_url, "cost": cost, "endedReason": ended_reason},
            customer,
            metadata,
        )
        self._announce()
        if self.settings.enabled:
            awaited = awaited_recordings(**recording) if recording else []
            for one in awaited:
                self._delivery.hand_over(Enrichment(text_of(external_id), {}, one))
            if changes or not awaited:
                self._delivery.hand_over(Enrichment(text_of(external_id), changes))

    def egress_ended(self, body: bytes | str, authorization: str | None) -> None:
        """For a handler of LiveKit's webhooks: a recording is there, and need not be asked for.

        Other events than ``egress_ended`` are ignored. Needs the extra ``recording``.

        Args:
            body: the request's, as it came.
            authorization: its header of that name.

        Raises:
            WebhookError: it was not signed with ``LIVEKIT_API_KEY`` and ``LIVEKIT_API_SECRET``.
        """
        from zelto_agents.recording import egress_ended

        around = environment()
        key, secret = around.get("LIVEKIT_API_KEY", ""), around.get("LIVEKIT_API_SECRET", "")
        over = egress_ended(body, authorization, api_key=key, api_secret=secret)
        if over is not None and self.settings.enabled:
            self._announce()
            self._delivery.hand_over(EgressOver(over.room, over.egress_id))

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
            self._delivery.waited(budget)
            return False

    def close(self) -> None:
        """Flush within the shutdown budget; the last client to close also ends the thread.

        A later call starts it again.
        """
        self._delivery.clients.discard(self)
        if self._delivery.clients:
            self.flush()
        else:
            self._delivery.close(self.settings.shutdown_budget)

    async def aclose(self) -> None:
        """``close`` for async code."""
        await self.aflush()
        try:
            await asyncio.to_thread(self.close)
        except RuntimeError:  # the loop has shut its executor down; all was flushed or tried
            self.close()

    @guarded
    def _announce(self) -> None:
        """Be a client of the thread from now on, and say once what is wrong with the settings."""
        self._delivery.clients.add(self)
        if self._delivery.announced:
            return
        self._delivery.announced = True
        settings = self.settings
        if not settings.enabled:
            return
        for problem in settings.problems:
            logger.error("%s", problem)
        if settings.api_key is None:
            logger.warning(
                "ZELTO_API_KEY is not set (or not usable): calls are kept in %s until it is",
                settings.outbox,
            )
        if settings.agent_version:
            check(
                "version",
                settings.agent_version,
                settings.sources.get("agent_version", "agent_version"),
            )

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
