"""``zelto-agents enrich``: what cannot be added is said, and not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import NOWHERE, a_put, environment, opened, run


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--recording-url", "nonsense", "expected a URL"),
        ("--recording-url", "", "expected a URL"),
        ("--recording-url", "ftp://example.com/a.ogg", "expected a URL"),
        ("--cost", "-1", "0 or more"),
        ("--cost", "nan", "0 or more"),
    ],
)
def test_a_value_that_the_contract_refuses_is_wrong_usage(
    tmp_path: Path, option: str, value: str, why: str
):
    with opened(tmp_path) as engine:
        engine.put(a_put("conv-1"), now=1.0)
    done = run("enrich", "conv-1", f"{option}={value}", env=environment(tmp_path))
    assert (done.code, why in " ".join(done.errors.split()), done.out) == (2, True, "")
    with opened(tmp_path) as engine:
        assert [(d.base_url, d.revision) for d in engine.deliveries()] == [(NOWHERE, 1)]
