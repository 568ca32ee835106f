"""What the delivery tells OpenTelemetry, when the host uses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from talking import talk, until
from zelto_agents import Settings, Zelto, _work
from zelto_agents.receiver import RunningReceiver


@pytest.fixture(scope="module")
def reader() -> Iterator[InMemoryMetricReader]:
    one = InMemoryMetricReader()
    provider = MeterProvider([one])
    metrics.set_meter_provider(provider)  # once for a process
    yield one
    provider.shutdown()


def figures(reader: InMemoryMetricReader) -> dict[str, dict[Any, float]]:
    data = reader.get_metrics_data()
    return {
        metric.name: {
            next(iter((point.attributes or {}).values()), None): point.value
            for point in metric.data.data_points
        }
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        if scope.scope.name == "zelto_agents"
        for metric in scope.metrics
    }


def test_attempts_are_counted_and_what_waits_is_shown(
    reader: InMemoryMetricReader,
    settings: Settings,
    receiver: RunningReceiver,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(_work, "FIRST_SWEEP", 0.0)
    monkeypatch.setattr(_work, "SWEEP_EVERY", 0.05)
    with Zelto(settings=settings) as zelto:
        talk(zelto, "conv-1")
        assert zelto.flush(20)
        receiver.stop()
        talk(zelto, "conv-2")
        assert not zelto.flush(20)
        live = zelto.call("conv-3", agent_id="support")
        live.turn("user", "Hi")

        def waits() -> bool:
            counts = figures(reader).get("zelto.outbox.deliveries", {})
            return (counts.get("sent"), counts.get("due"), counts.get("live")) == (1, 1, 1)

        until(waits)
        seen = figures(reader)
    assert set(seen) == {
        "zelto.delivery.attempts",
        "zelto.outbox.deliveries",
        "zelto.outbox.oldest_age",
    }
    assert seen["zelto.delivery.attempts"]["sent"] == 1
    assert seen["zelto.delivery.attempts"]["retry"] >= 1
    assert seen["zelto.outbox.deliveries"] == {
        "live": 1,
        "due": 1,
        "held": 0,
        "dead": 0,
        "sent": 1,
        "awaited": 0,
        "skipped": 0,
    }
    assert seen["zelto.outbox.oldest_age"][None] > 0


def test_a_host_without_opentelemetry_does_not_import_it():
    code = (
        "import sys; from zelto_agents import Zelto; "
        "z = Zelto(); c = z.call('a', agent_id='b'); c.end(); z.close(); "
        "sys.exit('opentelemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
