"""``zelto-agents send``: samples, files and standard input; nothing wrong is sent unasked."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import NOWHERE, Ended, run
from scripted_server import ScriptedServer
from zelto_agents.receiver import RunningReceiver
from zelto_agents.samples import SAMPLES

BODY = {
    "call": {"externalId": "own-1"},
    "agent": {"externalId": "a"},
    "transcript": {"turns": [{"role": "user", "content": "Hi"}]},
}
WRONG: dict[str, Any] = {
    "call": {"externalId": "own-1", "cost": "free", "colour": "red"},
    "transcript": {"turns": [{"role": "robot", "content": "Hi"}]},
}


def send(receiver: RunningReceiver | None, *arguments: str, **more: Any) -> Ended:
    env = dict(os.environ)
    if receiver is not None:
        env |= {"ZELTO_BASE_URL": receiver.url, "ZELTO_API_KEY": receiver.key or ""}
    return run("send", *arguments, env=env | more.pop("env", {}), **more)


def page_of(receiver: RunningReceiver, external_id: str) -> str:
    return f"{receiver.url}/#/conversations/{receiver.wait_for(external_id)['id']}"


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_accepted_and_keeps_the_contract(receiver: RunningReceiver, name: str):
    done = send(receiver, name, "--json")
    assert done.code == 0, done
    found = done.json
    sample = SAMPLES[name]
    external_id = found["sent"][0]["externalId"]
    assert re.fullmatch(rf"sample-{name}-[0-9a-f]{{8}}", external_id)
    assert found == {
        "ok": True,
        "url": receiver.url,
        "sent": [
            {
                "externalId": external_id,
                "provider": sample.provider,
                "violations": [],
                "status": 200,
                "answer": {"received": True},
                "fault": None,
            }
        ]
        * len(sample.files),
        "see": page_of(receiver, external_id),
    }
    assert {each["provider"] for each in receiver.deliveries()} == {sample.provider}


def test_a_sample_becomes_a_conversation_that_has_just_ended(receiver: RunningReceiver):
    done = send(receiver, "voice", "--id", "mine")
    assert (done.code, done.out.splitlines()) == (
        0,
        ['✓ voice (mine): 200 {"received": true}', f"see it: {page_of(receiver, 'mine')}"],
    )
    found = receiver.wait_for("mine")
    assert (len(found["turns"]), found["cost"]) == (6, 0.0214)
    assert found["endedAt"][:10] == found["createdAt"][:10]


def test_what_became_no_conversation_has_no_address_of_its_own(
    receiver: RunningReceiver, tmp_path: Path
):
    path = tmp_path / "dial.json"
    path.write_text(json.dumps({name: BODY[name] for name in ("call", "agent")}))
    done = send(receiver, str(path))
    assert (done.code, done.out.splitlines()[1:]) == (0, [f"see it: {receiver.url}/"])


def test_the_enrichment_is_one_call_that_is_updated_in_place(receiver: RunningReceiver):
    assert send(receiver, "enrichment", "--id", "mine").code == 0
    found = receiver.wait_for("mine", where=lambda each: each["deliveries"] == 2)
    assert (found["cost"], found["metadata"]["rating"]) == (0.0093, 5)


def test_each_run_is_a_new_call(receiver: RunningReceiver):
    ids = {send(receiver, "text", "--json").json["sent"][0]["externalId"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_a_body_of_ones_own_is_sent_as_it_is(receiver: RunningReceiver, tmp_path: Path, how: str):
    content = json.dumps(BODY, indent=3).encode()
    path = tmp_path / "call.json"
    path.write_bytes(content)
    with path.open("rb") as file:
        more = {"stdin": file} if how == "stdin" else {}
        done = send(receiver, "-" if how == "stdin" else str(path), "--provider", "livekit", **more)
    assert done.code == 0, done
    assert receiver.raw_body(1) == content
    assert receiver.wait_for("own-1")["source"] == "livekit"


def test_every_violation_is_named_and_nothing_is_sent(receiver: RunningReceiver, tmp_path: Path):
    path = tmp_path / "call.json"
    path.write_text(json.dumps(WRONG))
    done = send(receiver, str(path))
    assert done.code == 1
    paths = [line.split(":")[0].strip() for line in done.errors.splitlines()[:-1]]
    assert paths == ["call.cost", "call.colour", "transcript.turns.0.role"]
    assert "was not sent; --force sends it" in done.errors
    assert receiver.raw_count() == 0


def test_what_breaks_the_contract_is_sent_by_force(receiver: RunningReceiver, tmp_path: Path):
    path = tmp_path / "call.json"
    path.write_text(json.dumps(WRONG))
    done = send(receiver, str(path), "--force", "--json")
    assert done.code == 1
    [sent] = done.json["sent"]
    assert (sent["status"], sent["answer"]["error"]) == (400, "Validation failed")
    assert sent["violations"][0]["path"] == "call.cost"
    assert receiver.raw_count() == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not JSON: "),
        (b'{"call": NaN}', "not JSON: NaN is not JSON"),
        (b"\xff", "not JSON: byte 0 is not UTF-8"),
        (b"[" * 100_000, "not JSON: nested too deeply"),
        (b"[]", "must be a JSON object"),
    ],
)
def test_what_is_no_json_object_is_said_and_not_sent(
    receiver: RunningReceiver, tmp_path: Path, content: bytes, why: str
):
    path = tmp_path / "call.json"
    path.write_bytes(content)
    done = send(receiver, str(path), "--json")
    [fault] = done.json["sent"][0]["violations"]
    assert (done.code, fault["path"]) == (1, "")
    assert fault["message"].startswith(why)
    assert receiver.raw_count() == 0


def test_an_unknown_provider_is_a_violation(receiver: RunningReceiver):
    done = send(receiver, "voice", "--provider", "bland")
    assert (done.code, receiver.raw_count()) == (1, 0)
    assert "X-Zelto-Provider: must be one of zelto, livekit, vapi, retell" in done.errors


def test_a_refused_key_is_shown(receiver: RunningReceiver):
    done = send(receiver, "voice", env={"ZELTO_API_KEY": "wrong"})
    assert done.code == 1
    assert '401 {"error": "Unauthorized"}' in done.out
    assert "see it" not in done.out


def test_an_answer_that_is_no_json_is_shown_as_text():
    with ScriptedServer((502, {}, "<h1>\x1b[31mBad gateway</h1>")) as server:
        env = {"ZELTO_BASE_URL": server.url, "ZELTO_API_KEY": "k"}
        done = send(None, "enrichment", env=env)
        assert len(server.requests) == 1, "after a failure nothing more is sent"
    assert done.code == 1
    assert "502 <h1>?[31mBad gateway</h1>" in done.out


def test_no_answer_is_said():
    env = {"ZELTO_BASE_URL": NOWHERE, "ZELTO_API_KEY": "k"}
    done = send(None, "voice", env=env)
    assert done.code == 1
    assert f"{NOWHERE} gave no answer (ConnectError" in done.errors


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "there is no key: set ZELTO_API_KEY"),
        ({"ZELTO_API_KEY": "a b"}, "environment ZELTO_API_KEY is not usable"),
        ({"ZELTO_BASE_URL": "nope"}, "environment ZELTO_BASE_URL is not usable"),
        ({"ZELTO_BASE_URL": "http://example.com"}, "is plain http to another machine"),
    ],
)
def test_without_a_key_and_a_url_nothing_is_sent(env: dict[str, str], why: str):
    done = send(None, "voice", env=env)
    assert (done.code, why in done.errors, "zelto_" in done.errors) == (1, True, False)


def test_url_beats_the_environment(receiver: RunningReceiver):
    done = send(receiver, "voice", "--url", receiver.url, env={"ZELTO_BASE_URL": NOWHERE})
    assert done.code == 0


def test_what_is_neither_sample_nor_file_is_told_the_samples(receiver: RunningReceiver):
    done = send(receiver, "voise")
    assert done.code == 1
    assert "voise is no sample (voice, text, tools," in done.errors


def test_a_body_of_ones_own_keeps_its_id(receiver: RunningReceiver):
    done = send(receiver, "-", "--id", "x")
    assert (done.code, receiver.raw_count()) == (2, 0)


def test_the_key_is_never_printed(receiver: RunningReceiver):
    for arguments in (["voice"], ["voice", "--json"], ["voice", "--provider", "bland", "--force"]):
        done = send(receiver, *arguments)
        assert receiver.key not in done.out + done.errors


def test_an_empty_standard_input_is_not_json(receiver: RunningReceiver):
    done = send(receiver, "-", stdin=subprocess.DEVNULL)
    assert (done.code, receiver.raw_count()) == (1, 0)
