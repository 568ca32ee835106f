"""What the models consumed: switched on by itself, whole prompts, and what nobody reports."""

from __future__ import annotations

from typing import Any

import pytest
from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData
from pipecat.services.openai.llm import OpenAILLMService

from pipecat_scenarios import Stage
from pipecat_zelto._usage import Usage, provider_of
from scripted.pipecat import ScriptedLLM
from truth import Played
from zelto_agents.facts import Fact, UsageKnown


class Service:
    """A service of this provider, as far as reports know it."""

    def __init__(self, provider: str) -> None:
        kind = type("Service", (), {"__module__": f"pipecat.services.{provider}.llm"})
        self.kind: Any = kind()
        self.kind.name = provider


def reported(provider: str, usage: LLMTokenUsage) -> dict[str, Any]:
    facts: list[Fact] = []
    sums = Usage(facts.append)
    sums.know(Service(provider).kind)
    data = LLMUsageMetricsData(processor=provider, model="m", value=usage)
    sums.reported(MetricsFrame(data=[data]), 1.0)
    sums.finish(2.0, metered=True)
    (fact,) = facts
    assert isinstance(fact, UsageKnown)
    (part,) = fact.parts
    return dict(part)


def test_usage_is_there_without_a_word_of_the_users(played: Played[Stage]):
    parts = played["sentences"].document["metadata"]["zelto"]["usage"]
    known = {part["type"]: part for part in parts}
    assert known["llm_usage"] == {
        "type": "llm_usage",
        "provider": "scripted",
        "model": "scripted-llm",
        "input_tokens": known["llm_usage"]["input_tokens"],
        "output_tokens": 12,
    }
    assert known["tts_usage"]["characters_count"] == 46


def test_a_completion_that_was_cut_off_is_unreported_and_not_free(played: Played[Stage]):
    parts = played["cut_off"].document["metadata"]["zelto"]["usage"]
    (llm,) = [part for part in parts if part["type"] == "llm_usage"]
    assert llm == {
        "type": "llm_usage",
        "provider": "scripted",
        "model": "scripted-llm",
        "input_tokens": llm["input_tokens"],
        "output_tokens": llm["output_tokens"],
        "unreported_completions": 1,
    }


@pytest.mark.parametrize("wanted", [True, False])
def test_whoever_does_not_want_usage_has_it_left_alone(wanted: bool, played: Played[Stage]):
    scene = played["metered" if wanted else "unmetered"]
    assert scene.notes["params"] is wanted
    assert ("usage" in scene.document["metadata"]["zelto"]) is wanted


def test_prompts_are_whole_whoever_reports_them():
    gross = LLMTokenUsage(
        prompt_tokens=100, completion_tokens=10, total_tokens=110, cache_read_input_tokens=60
    )
    net = LLMTokenUsage(
        prompt_tokens=40,
        completion_tokens=10,
        total_tokens=110,
        cache_read_input_tokens=50,
        cache_creation_input_tokens=10,
    )
    old_net = net.model_copy(update={"total_tokens": 50})
    assert reported("openai", gross)["input_tokens"] == 100
    assert reported("anthropic", net)["input_tokens"] == 100
    assert reported("anthropic", old_net)["input_tokens"] == 100
    assert reported("anthropic", net)["input_cached_tokens"] == 50
    assert reported("anthropic", net)["input_cache_creation_tokens"] == 10


def test_the_provider_is_where_the_class_is():
    own = type("MyLLM", (OpenAILLMService,), {"__module__": "my_bot.models"})
    assert provider_of(object.__new__(OpenAILLMService)) == "openai"
    assert provider_of(object.__new__(own)) == "openai"
    assert provider_of(object.__new__(ScriptedLLM)) == "scripted"
