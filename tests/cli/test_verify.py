"""``zelto-agents verify``: the contract as numbered checks, and whether one call landed."""

from __future__ import annotations

import os

import pytest

from commands import NOWHERE, Ended, run
from scripted_server import ScriptedServer
from zelto_agents.receiver import RunningReceiver
from zelto_agents.verify import all_checks

COUNT = len(all_checks())


def verify(receiver: RunningReceiver | None, *arguments: str, **env: str) -> Ended:
    known = {**os.environ, "COLUMNS": "160"}
    if receiver is not None:
        known |= {"ZELTO_BASE_URL": receiver.url, "ZELTO_API_KEY": receiver.key or ""}
    return run("verify", *arguments, env=known | env)


def test_without_a_url_it_checks_a_receiver_of_its_own():
    done = verify(None)
    assert done.code == 0, done
    assert f"{COUNT} as the contract says" in done.out
    for check in all_checks():
        assert f"✓   {check.number} " in done.out


def test_a_receiver_that_only_the_environment_names_gets_nothing(receiver: RunningReceiver):
    done = verify(receiver)
    assert done.code == 0, done
    assert f"{receiver.url}: " not in done.out
    assert receiver.raw_count() == 0


def test_json_tells_each_check_with_its_quote():
    done = verify(None, "--json")
    assert done.code == 0, done
    told = done.json
    counts = {"passes": COUNT, "fails": 0, "differs": 0, "skipped": 0}
    assert (told["ok"], told["counts"]) == (True, counts)
    assert told["checks"] == [
        {
            "number": check.number,
            "title": check.title,
            "contract": check.quote,
            "assumed": check.assumed,
            "state": "passes",
            "text": "",
        }
        for check in all_checks()
    ]


def test_what_is_otherwise_fails_and_is_shown(receiver: RunningReceiver):
    receiver.faults.add("503 x1")
    done = verify(receiver, "--url", receiver.url)
    assert done.code == 1
    assert "✗   1.1 " in done.out
    assert "without a key: expected (401" in done.out
    assert f"{COUNT - 2} as the contract says, 1 otherwise, 1 not checked" in done.out


def test_another_machine_is_only_checked_on_demand():
    done = verify(None, "--url", "https://zelto.invalid", ZELTO_API_KEY="k")
    assert done.code == 2
    assert "--real" in done.errors


def test_the_real_thing_is_not_checked_without_a_url():
    done = verify(None, "--real")
    assert (done.code, "it needs --url" in done.errors) == (2, True)


def test_nothing_is_checked_without_a_key():
    done = verify(None, "--url", NOWHERE)
    assert (done.code, "there is no key: set ZELTO_API_KEY" in done.errors) == (1, True)


@pytest.mark.parametrize("more", [["--call", "x"], []])
def test_a_refused_key_is_said_once(receiver: RunningReceiver, more: list[str]):
    done = verify(receiver, "--url", receiver.url, *more, ZELTO_API_KEY="wrong")
    assert done.code == 1
    assert done.errors.endswith("refuses the key: check ZELTO_API_KEY\n")
    assert receiver.raw_count() == 0


@pytest.mark.parametrize("more", [["--call", "x"], []])
def test_no_answer_is_said_once(more: list[str]):
    done = verify(None, "--url", NOWHERE, *more, ZELTO_API_KEY="k")
    assert done.code == 1
    assert f"{NOWHERE} does not answer (ConnectError" in done.errors


def test_an_unusable_url_is_said():
    done = verify(None, "--url", "nope", ZELTO_API_KEY="k")
    assert (done.code, "argument base_url is not usable" in done.errors) == (1, True)


def landed(receiver: RunningReceiver) -> None:
    sent = run("send", "voice", "--id", "mine", env=os.environ | {
        "ZELTO_BASE_URL": receiver.url, "ZELTO_API_KEY": receiver.key or ""
    })  # fmt: skip
    assert sent.code == 0
    receiver.wait_for("mine")


def test_a_call_that_landed_is_told_with_agent_turns_cost_and_recording(
    receiver: RunningReceiver,
):
    landed(receiver)
    conversation = receiver.conversation("mine")
    assert conversation is not None
    done = verify(receiver, "--call", "mine", "--json")
    assert done.code == 0
    assert done.json == {
        "landed": True,
        "url": receiver.url,
        "conversation": {
            "externalId": "mine",
            "id": conversation["id"],
            "source": "upload",
            "agent": {
                "id": conversation["agent"]["id"],
                "name": "Clinic reception (sample)",
                "externalId": "sample-clinic",
            },
            "turns": 6,
            "durationSeconds": 21.5,
            "endedReason": "customer-ended-call",
            "cost": "0.0214",
            "recordingUrl": None,
            "updatedAt": conversation["updatedAt"],
        },
    }
    text = verify(receiver, "--call", "mine").out.split("\n")
    assert text[0] == f"✓ it has landed at {receiver.url}"
    assert "    turns         6" in text
    assert "    cost          $0.0214" in text
    assert "    recording     none" in text


def test_a_call_that_did_not_land_is_told_with_what_may_be_the_reason(receiver: RunningReceiver):
    done = verify(receiver, "--call", "mine", "--json")
    assert (done.code, done.json["landed"], done.json["conversation"]) == (1, False, None)
    done = verify(receiver, "--call", "mine")
    assert done.code == 1
    assert done.out.startswith(f"✗ it has not landed at {receiver.url}\n")
    assert receiver.raw_count() == 0


def test_an_api_that_cannot_be_read_is_said():
    with ScriptedServer(501) as server:
        done = verify(None, "--call", "x", ZELTO_BASE_URL=server.url, ZELTO_API_KEY="k")
    assert done.code == 1
    assert "could not be read: Differs" in done.errors
