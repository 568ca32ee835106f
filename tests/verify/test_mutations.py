"""Each rule of the receiver is switched off in turn, and precisely its check sees it."""

from __future__ import annotations

import pytest

from verify.mutations import MUTATIONS, Mutation
from zelto_agents.receiver import Limits, RunningReceiver
from zelto_agents.verify import Target, all_checks, run


def findings() -> dict[str, str]:
    """What a fresh receiver does otherwise, by the number of the check."""
    with RunningReceiver(limits=Limits(allow_private=True)) as receiver:
        settled = receiver.wait_until_ingested
        assert receiver.key is not None
        with Target(receiver.url, receiver.key, settled=settled, fetches_private=True) as target:
            return {each.check.number: each.text for each in run(target) if each.state != "passes"}


def test_a_receiver_with_all_its_rules_passes_every_check():
    assert findings() == {}


def test_every_check_has_a_mutation_that_it_sees():
    covered = {number for numbers, _ in MUTATIONS for number in numbers.split()}
    assert covered == {check.number for check in all_checks()}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("numbers", "mutation"), MUTATIONS, ids=[f"{n}-{m.__name__}" for n, m in MUTATIONS]
)
def test_a_rule_that_is_off_is_seen_by_its_check_alone(
    numbers: str, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
):
    mutation(monkeypatch)
    found = findings()
    assert list(found) == numbers.split(), found
