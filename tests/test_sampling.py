"""Which calls are within a share."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from zelto_agents._sampling import sampled

SHARES = st.floats(0, 1)


def test_the_share_that_is_asked_for_is_sampled():
    for share in (0.01, 0.25, 0.5, 0.99):
        count = sum(sampled(f"call-{number}", share) for number in range(20_000))
        assert abs(count / 20_000 - share) < 0.015


@given(st.text(), SHARES, SHARES)
def test_a_call_within_a_share_is_within_every_larger_one(external_id: str, one: float, two: float):
    smaller, larger = sorted((one, two))
    assert sampled(external_id, larger) or not sampled(external_id, smaller)
    assert sampled(external_id, 1.0)
    assert not sampled(external_id, 0.0)


def test_another_process_decides_the_same():
    code = (
        "from zelto_agents._sampling import sampled;"
        "print([n for n in range(60) if sampled(f'call-{n}', 0.3)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([n for n in range(60) if sampled(f"call-{n}", 0.3)])


def test_the_choice_is_the_same_tomorrow():
    # Were it another one after an update, an enrichment could miss its call.
    assert [n for n in range(30) if sampled(f"call-{n}", 0.2)] == [9, 14, 15, 20, 25, 27]
