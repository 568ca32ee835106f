"""What a user's ``redact`` function does, and what becomes of one that fails."""

from __future__ import annotations

import json
import logging

import pytest

from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


def test_a_redact_that_fails_is_said_once_and_costs_the_words_alone(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    def broken(text: str) -> str:
        raise ZeroDivisionError(text)

    with caplog.at_level(logging.INFO), Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support", redact=broken) as call:
            call.turn("user", "my secret", start=0.4, end=1.1)
            call.turn("assistant", "your secret", start=1.4, end=2.1)
            call.end("customer-ended-call")
        assert zelto.flush()
    body = json.loads(receiver.raw_body(receiver.deliveries("conv-1")[0]["id"]) or b"")
    assert body["call"]["endedReason"] == "customer-ended-call"
    assert [t["content"] for t in body["transcript"]["turns"]] == ["[redaction failed]"] * 2
    (said,) = [record for record in caplog.records if "redact failed" in record.getMessage()]
    assert "ZeroDivisionError" in said.getMessage()
    assert "secret" not in caplog.text
