"""What the models consumed, summed for each provider and model.

Pipecat tells it in pieces, without the provider, and not at all unless asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zelto_agents.facts import Fact, UsageKnown

__all__ = ["Usage", "provider_of"]


def provider_of(service: Any) -> str:
    """The provider, from where the service's class is: ``pipecat.services.<provider>``."""
    for kind in type(service).__mro__:
        parts = kind.__module__.split(".")
        if parts[:2] == ["pipecat", "services"] and len(parts) > 3:
            return parts[2]
    package = type(service).__module__.split(".")[0]
    return package.removeprefix("pipecat_")


class Usage:
    """Sums what is reported.

    Args:
        add: where facts go.
    """

    def __init__(self, add: Callable[[Fact], None]) -> None:
        self._add = add
        self._providers: dict[str, str] = {}
        self._parts: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._completions: dict[str, int] = {}
        self._told = True

    def know(self, service: Any) -> None:
        """Remember whose a processor is; reports name processors alone."""
        self._providers[service.name] = provider_of(service)

    def completion(self, processor: Any) -> None:
        """A model began to answer; without a report, it is unpriced and not free of charge."""
        name = processor.name
        if name in self._providers:
            self._completions[name] = self._completions.get(name, 0) + 1

    def reported(self, frame: Any, at: float) -> None:
        """One or more reports."""
        for data in frame.data:
            add = _ADDERS.get(type(data).__name__)
            if add is None:
                continue
            kind, sums = add(data.value)
            part = self._part(kind, data.processor, data.model)
            for name, value in sums.items():
                if value:
                    part[name] = round(part.get(name, 0) + value, 3)
            if kind == "llm_usage" and self._completions.get(data.processor):
                self._completions[data.processor] -= 1
            self._told = False

    def _part(self, kind: str, processor: str, model: str | None) -> dict[str, Any]:
        provider = self._providers.get(processor, "")
        known = {"type": kind, "provider": provider, "model": model or ""}
        return self._parts.setdefault((kind, provider, model or ""), known)

    def tell(self, at: float) -> None:
        """Hand over the sums so far, if there is news."""
        if not self._told:
            self._told = True
            parts = tuple(dict(part) for part in self._parts.values())
            self._add(UsageKnown(at=at, parts=parts))

    def finish(self, at: float) -> None:
        """Name the completions that nobody reported: interrupted ones, with most services."""
        for processor, count in self._completions.items():
            provider = self._providers[processor]
            if count and self._reports(provider):
                known = {"type": "llm_usage", "provider": provider, "model": ""}
                part = self._parts.setdefault(("unreported", provider, ""), known)
                part["unreported_completions"] = part.get("unreported_completions", 0) + count
                self._told = False
        self.tell(at)

    def _reports(self, provider: str) -> bool:
        return any(kind == "llm_usage" and p == provider for kind, p, _ in self._parts)


# Names as LiveKit has them, so that one price list serves both.
def _tokens(value: Any) -> tuple[str, dict[str, Any]]:
    # Some services report prompts without what came from their cache; the total has it always.
    return "llm_usage", {
        "input_tokens": value.total_tokens - value.completion_tokens,
        "input_cached_tokens": value.cache_read_input_tokens,
        "input_cache_creation_tokens": value.cache_creation_input_tokens,
        "input_audio_tokens": getattr(value, "input_audio_tokens", None),
        "input_cached_audio_tokens": getattr(value, "cache_read_input_audio_tokens", None),
        "output_tokens": value.completion_tokens,
        "output_audio_tokens": getattr(value, "output_audio_tokens", None),
        "output_reasoning_tokens": value.reasoning_tokens,
    }


_ADDERS: dict[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    "LLMUsageMetricsData": _tokens,
    "TTSUsageMetricsData": lambda value: ("tts_usage", {"characters_count": value}),
    "STTUsageMetricsData": lambda value: ("stt_usage", {"audio_duration": value.audio_seconds}),
}
