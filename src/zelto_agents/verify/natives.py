"""Section 5, the bodies of other providers, unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zelto_agents.samples import SAMPLES
from zelto_agents.verify.checks import check, expect

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__: list[str] = []

_TERMINAL = "Vapi end-of-call-report, Retell call_ended and call_analyzed are ingested"
_OTHERS = "every other Vapi or Retell event is acknowledged and ignored"


def _sample(target: Target, provider: str) -> tuple[str, dict[str, Any]]:
    about = target.new_id(provider)
    [body] = SAMPLES[provider].bodies(about)
    return about, body


def _said(target: Target, about: str) -> list[str]:
    return [turn["content"] for turn in target.transcript(about)["content"]]


@check("5.1", "Vapi's end-of-call-report", quote=_TERMINAL)
def _vapi(target: Target) -> None:
    about, body = _sample(target, "vapi")
    target.accept(body, "vapi")
    expect(target.landed(about)["source"], "vapi", "source")
    if "Brandt." not in _said(target, about):
        expect(_said(target, about), ["..., Brandt."], "turns")


@check("5.2", "Vapi's other events", quote=_OTHERS)
def _vapi_others(target: Target) -> None:
    about, body = _sample(target, "vapi")
    body["message"]["type"] = "status-update"
    expect(target.upload(body, "vapi"), (200, {"received": True}), "answer")
    target.absent(about)


@check("5.3", "Retell's call_ended", quote=_TERMINAL)
def _retell(target: Target) -> None:
    about, body = _sample(target, "retell")
    target.accept(body, "retell")
    expect(target.landed(about)["source"], "retell", "source")
    expect(len(_said(target, about)), 4, "number of turns")


@check("5.4", "Retell's call_analyzed", quote=_TERMINAL)
def _retell_analyzed(target: Target) -> None:
    about, body = _sample(target, "retell")
    target.accept(body | {"event": "call_analyzed"}, "retell")
    expect(target.landed(about)["source"], "retell", "source")


@check("5.5", "Retell's other events", quote=_OTHERS)
def _retell_others(target: Target) -> None:
    about, body = _sample(target, "retell")
    body["event"] = "call_started"
    expect(target.upload(body, "retell"), (200, {"received": True}), "answer")
    target.absent(about)
