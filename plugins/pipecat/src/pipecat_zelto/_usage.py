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
        self._services: dict[str, tuple[str, str]] = {}
        self._parts: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._completions: dict[str, int] = {}
        self._told = True

    def know(self, service: Any) -> None:
        """Remember whose a processor is; reports name processors alone."""
        settings = getattr(service, "settings", None) or getattr(service, "_settings", None)
        model = getattr(settings, "model", None)
        known = model if isinstance(model, str) else ""
        self._services[service.name] = (provider_of(service), known)

    def completion(self, processor: Any) -> None:
        """A model began to answer; without a report, it is unpriced and not free of charge."""
        name = processor.name
        if name in self._services:
            self._completions[name] = self._completions.get(name, 0) + 1

    def reported(self, frame: Any, at: float) -> None:
        """One or more reports."""
        for data in frame.data:
            add = _ADDERS.get(type(data).__name__)
            if add is None:
                continue
            provider, model = self._services.get(data.processor, ("", ""))
            kind, sums = add(data.value, provider)
            part = self._part(kind, provider, data.model or model)
            for name, value in sums.items():
                if value:
                    part[name] = round(part.get(name, 0) + value, 3)
            if kind == "llm_usage" and self._completions.get(data.processor):
                self._completions[data.processor] -= 1
            self._told = False

    def _part(self, kind: str, provider: str, model: str) -> dict[str, Any]:
        known = {"type": kind, "provider": provider, "model": model}
        return self._parts.setdefault((kind, provider, model), known)

    def tell(self, at: float) -> None:
        """Hand over the sums so far, if there is news."""
        if not self._told:
            self._told = True
            parts = tuple(dict(part) for part in self._parts.values())
            self._add(UsageKnown(at=at, parts=parts))

    def finish(self, at: float, *, metered: bool) -> None:
        """Name the completions that nobody reported: interrupted ones, with most services.

        Args:
            at: seconds since the epoch.
            metered: whether reports were asked for at all.
        """
        for processor, count in self._completions.items() if metered else ():
            if count:
                part = self._part("llm_usage", *self._services[processor])
                part["unreported_completions"] = part.get("unreported_completions", 0) + count
                self._told = False
        self.tell(at)


# Names as LiveKit has them, so that one price list serves both.
def _tokens(value: Any, provider: str) -> tuple[str, dict[str, Any]]:
    return "llm_usage", {
        "input_tokens": _prompt(value, provider),
        "input_cached_tokens": value.cache_read_input_tokens,
        "input_cache_creation_tokens": value.cache_creation_input_tokens,
        "input_audio_tokens": getattr(value, "input_audio_tokens", None),
        "input_cached_audio_tokens": getattr(value, "cache_read_input_audio_tokens", None),
        "output_tokens": value.completion_tokens,
        "output_audio_tokens": getattr(value, "output_audio_tokens", None),
        "output_reasoning_tokens": value.reasoning_tokens,
    }


def _prompt(value: Any, provider: str) -> int:
    """All of the prompt, with what came from the cache; newer versions have that in the total."""
    prompt: int = max(value.prompt_tokens, value.total_tokens - value.completion_tokens)
    if provider in _WITHOUT_CACHE and prompt == value.prompt_tokens:
        prompt += value.cache_read_input_tokens or 0
        prompt += value.cache_creation_input_tokens or 0
    return prompt


# Whose reports leave the cache out of the prompt (pipecat/metrics/metrics.py).
_WITHOUT_CACHE = ("anthropic", "aws")
_ADDERS: dict[str, Callable[[Any, str], tuple[str, dict[str, Any]]]] = {
    "LLMUsageMetricsData": _tokens,
    "TTSUsageMetricsData": lambda value, _: ("tts_usage", {"characters_count": value}),
    "STTUsageMetricsData": lambda value, _: ("stt_usage", {"audio_duration": value.audio_seconds}),
}
