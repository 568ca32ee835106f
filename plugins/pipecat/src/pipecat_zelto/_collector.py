"""What a processor or an observer was told, and the call of the pipeline that it is in."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from loguru import logger

from pipecat import __version__ as pipecat_version
from zelto_agents import Call, CallIngest, Zelto
from zelto_agents.facts import AgentKnown, CustomerKnown, MetadataKnown
from zelto_agents.guard import guarded

from . import _caller as caller
from ._log import to_loguru
from ._version import __version__
from ._watch import PipelineWatch

if TYPE_CHECKING:
    from zelto_agents.cost import Prices

__all__ = ["CallOptions", "Collector"]

SDK = {"pipecat-ai": pipecat_version, "pipecat-zelto": __version__}

_lock = threading.Lock()


class CallOptions(TypedDict, total=False):
    """What ``ZeltoProcessor`` and ``ZeltoObserver`` can be told; see the former."""

    transport: Any
    external_id: str | None
    agent_id: str | None
    agent_uuid: str | None
    agent_name: str | None
    version: str | None
    system_prompt: str | None
    metadata: Mapping[str, Any] | None
    customer: Mapping[str, str] | None
    recording_url: str | None
    redact: Callable[[str], str] | None
    filter: Callable[[CallIngest], bool] | None
    prices: Prices | None
    cost: float | None
    usage_metrics: bool
    zelto: Zelto | None


class Collector:
    """Opens a call for each pipeline that it follows, one after another.

    Args:
        runner_args: Pipecat's ``RunnerArguments``.
        options: what else is known.

    Raises:
        TypeError: there is no such option.
    """

    def __init__(self, runner_args: Any, **options: Unpack[CallOptions]) -> None:
        if unknown := options.keys() - CallOptions.__annotations__.keys():
            known = ", ".join(CallOptions.__annotations__)
            raise TypeError(f"no such option: {', '.join(sorted(unknown))}; there are: {known}")
        of_call: dict[str, Any] = dict(options)
        self._runner_args = runner_args
        self._transport = of_call.pop("transport", None)
        self._external_id = of_call.pop("external_id", None)
        self._client: Zelto | None = of_call.pop("zelto", None)
        self.usage_metrics: bool = of_call.pop("usage_metrics", True)
        """Whether to switch Pipecat's usage metrics on."""
        self._of_call = of_call
        self._calls = 0
        self._call: Call | None = None
        self._watch: PipelineWatch | None = None

    @property
    def call(self) -> Call:
        """The call of the pipeline that runs, or ran last; before that, of the one to come."""
        if self._watch is not None:
            return self._watch.call
        if self._call is None:
            self._call = self._open(None) or Call(str(uuid.uuid4()), time.time(), lambda _: None)
        return self._call

    @guarded
    def follow(self, worker: Any, clock: Any) -> PipelineWatch | None:
        """Follow this pipeline from now on.

        Returns:
            The watch that frames are to be given to; None if there is one already.
        """
        to_loguru()
        with _lock:
            known: PipelineWatch | None = getattr(worker, "_zelto_watch", None)
            if known is not None:
                self._watch = known
                return None
            if self._watch is not None:  # the pipeline before this one
                self._watch.finish()
                self._watch = self._call = None
            call = self._call or self._open(worker)
            if call is None:
                return None
            zero = time.time() - clock.get_time() / 1e9
            # On the worker, so that one goes with the other: both hold each other.
            self._watch = worker._zelto_watch = PipelineWatch(call, zero)  # noqa: SLF001
        self._switch_usage_on(worker)
        self._introduce(call, worker)
        self._watch.follow(worker, self._transport)
        logger.info("Zelto: call {} is collected", call.external_id)
        return self._watch

    @guarded
    def _open(self, worker: Any) -> Call | None:
        self._calls += 1
        client = self._client or Zelto.shared()
        for name, version in SDK.items():
            client.hosts.setdefault(name, version)
        wanted = self._external_id or caller.external_id(self._runner_args, worker)
        of_call = self._of_call
        if self._calls > 1:  # each pipeline is a call of its own
            wanted = f"{wanted}-{self._calls}" if wanted else None
            of_call = of_call | {"recording_url": None, "cost": None}
        return client.call(wanted, **of_call)

    @guarded
    def _introduce(self, call: Call, worker: Any) -> None:
        at = call.started_at
        call.add(MetadataKnown(at=at, values={"zelto": {"sdk": SDK}}, technical=True))
        if known := caller.known_of(self._runner_args, worker):
            call.add(MetadataKnown(at=at, values={"pipecat": known}))
        number, _ = caller.numbers(self._runner_args)
        if number:
            call.add(CustomerKnown(at=at, number=number))
        if name := caller.name_of(worker):
            call.add(AgentKnown(at=at, external_id=name, name=name))

    @guarded
    def _switch_usage_on(self, worker: Any) -> None:
        if self.usage_metrics:
            worker.params.enable_usage_metrics = True
