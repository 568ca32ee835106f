"""What becomes of checks: elsewhere, on a real API, with a receiver that fetches nothing here."""

from __future__ import annotations

import pytest

from verify.mutations import MUTATIONS
from zelto_agents.receiver import RunningReceiver
from zelto_agents.verify import Outcome, Target, all_checks, landing, run


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {each.check.number: each.state for each in outcomes if each.state != "passes"}


def test_numbers_are_unique_and_every_check_quotes_the_contract():
    checks = all_checks()
    assert len({check.number for check in checks}) == len(checks)
    assert all(check.quote and check.title for check in checks)


def test_by_asking_alone_everything_is_found_out(receiver: RunningReceiver):
    assert receiver.key is not None
    with Target(receiver.url, receiver.key) as target:
        outcomes = list(run(target))
    assert states(outcomes) == {"4.10": "skipped"}
    [skipped] = [each for each in outcomes if each.state == "skipped"]
    assert skipped.text.startswith("it fetches nothing from this machine")


def test_every_conversation_of_a_run_says_so(receiver: RunningReceiver):
    assert receiver.key is not None
    with Target(receiver.url, receiver.key, settled=receiver.wait_until_ingested) as target:
        list(run(target))
        run_id = target.run_id
    made = {each["externalId"] for each in receiver.conversations()}
    assert made
    assert all(name.startswith(f"zelto-verify-{run_id}-") for name in made)


def test_what_is_only_assumed_differs_on_a_real_api_and_fails_on_ours(
    monkeypatch: pytest.MonkeyPatch,
):
    [mutation] = [mutation for numbers, mutation in MUTATIONS if numbers == "6.11"]
    mutation(monkeypatch)
    for real, state in ((True, "differs"), (False, "fails")):
        with RunningReceiver() as receiver:
            settled = receiver.wait_until_ingested
            assert receiver.key is not None
            with Target(receiver.url, receiver.key, real=real, settled=settled) as target:
                found = states(list(run(target)))
        assert {number for number in found if found[number] != "skipped"} == {"6.11"}
        assert found["6.11"] == state


def test_an_api_that_is_gone_fails_every_check_and_raises_nothing(receiver: RunningReceiver):
    assert receiver.key is not None
    with Target(receiver.url, receiver.key, patience=0.0) as target:
        receiver.stop()
        found = states(list(run(target)))
    assert set(found.values()) == {"fails"}
    assert len(found) == len(all_checks())


def test_a_call_is_found_behind_many_pages(receiver: RunningReceiver):
    assert receiver.key is not None
    with Target(receiver.url, receiver.key, settled=receiver.wait_until_ingested) as target:
        first = target.accept(target.body("first", call={"cost": 0.5, "durationSeconds": 2}))
        for _ in range(160):
            target.accept(target.body("later"))
        receiver.wait_until_ingested()
        found = landing(target, first)
        assert landing(target, "never") is None
    conversation = receiver.conversation(first)
    assert conversation is not None
    assert found == {
        "externalId": first,
        "id": conversation["id"],
        "source": "upload",
        "agent": {
            "id": conversation["agent"]["id"],
            "name": "zelto-agents verify",
            "externalId": f"zelto-verify-{target.run_id}",
        },
        "turns": 1,
        "durationSeconds": 2.0,
        "endedReason": None,
        "cost": "0.5",
        "recordingUrl": None,
        "updatedAt": conversation["updatedAt"],
    }
