"""Calls whose process died, or only slept: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from talking import talk, until, waiting
from zelto_agents import Settings, Zelto, _adopt
from zelto_agents.facts import CallStarted, encoded
from zelto_agents.outbox import Orphan
from zelto_agents.receiver import RunningReceiver

# A process that holds a call: it says when four turns are handed over, and ends when told to.
CALLER = """
import logging, sys
from zelto_agents import Zelto, _delivery, _work
from zelto_agents.outbox import _engine, _journals
lease = float(sys.argv[1])
_journals.PROCESS_LEASE, _engine.BEAT_EVERY, _work.SWEEP_EVERY = lease, lease / 8, lease / 8
redact = (lambda text: text.replace("4711", "[card]")) if len(sys.argv) > 2 else None
errors, handler = [], logging.Handler("ERROR")
handler.emit = lambda record: errors.append(record.getMessage())
logging.getLogger("zelto_agents").addHandler(handler)
zelto = Zelto()
call = zelto.call("conv-1", agent_id="support", version="7", customer={"number": "+49301"},
                  metadata={"tenant": "a"}, redact=redact)
for number in range(4):
    call.turn("user", f"My card is 4711, part {number}", start=number, end=number + 0.5)
print("said", flush=True)
for line in sys.stdin:
    if line == "turn\\n":
        call.turn("assistant", "Thank you", start=5.0, end=6.0)
    else:
        call.end("customer-ended-call")
        print(zelto.flush(20), *errors, flush=True)
"""
LONG = 3600.0


@contextmanager
def caller(settings: Settings, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    assert settings.api_key is not None
    environment = os.environ | {
        "ZELTO_API_KEY": settings.api_key.get_secret_value(),
        "ZELTO_BASE_URL": settings.base_url or "",
        "ZELTO_OUTBOX": str(settings.outbox),
    }
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "said\n"
        yield process
        process.kill()


def journalled(settings: Settings) -> int:
    """How many bytes of the one live call are in the journal."""
    return sum(d.size for d in waiting(settings.outbox) if d.state == "live")


def everything_in(settings: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(settings.outbox.iterdir()))


def wait_until_journalled(settings: Settings) -> None:
    until(lambda: journalled(settings) > 600)


def turns(conversation: dict[str, Any] | None) -> list[tuple[str, str]]:
    assert conversation is not None
    return [(turn["role"], turn["content"]) for turn in conversation["turns"]]


SAID = [("user", f"My card is 4711, part {number}") for number in range(4)]


def test_a_call_cut_off_by_sigkill_is_finished_by_the_next_process(
    settings: Settings, receiver: RunningReceiver
):
    with caller(settings, LONG) as process:
        wait_until_journalled(settings)
        process.kill()
        # Not even reaped yet: that it is gone is seen from its number, not from its lease.
        with Zelto(settings=settings) as zelto:
            talk(zelto, "other")
            assert receiver.wait_for("conv-1", timeout=20)
            # The answer to what has arrived may still be on its way.
            until(lambda: [d.state for d in waiting(settings.outbox)] == ["sent", "sent"])
    conversation = receiver.conversation("conv-1")
    assert conversation is not None
    assert turns(conversation) == SAID
    assert conversation["endedReason"] == "agent-process-died"
    assert conversation["version"] == "7"
    assert conversation["customer"] == {"number": "+49301"}
    assert conversation["metadata"] == {"tenant": "a"}
    assert conversation["durationSeconds"] >= 3.5


def test_a_process_that_only_slept_has_the_last_word(settings: Settings, receiver: RunningReceiver):
    with caller(settings, 0.8) as process:
        wait_until_journalled(settings)
        process.send_signal(signal.SIGSTOP)
        with Zelto(settings=settings) as zelto:
            talk(zelto, "other")
            assert receiver.wait_for("conv-1", timeout=20)
        first = receiver.conversation("conv-1")
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None
        process.stdin.write("turn\nend\n")
        process.stdin.flush()
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        receiver.wait_until_ingested()
    last = receiver.conversation("conv-1")
    assert first is not None
    assert last is not None
    assert first["endedReason"] == "agent-process-died"
    assert last["endedReason"] == "customer-ended-call"
    assert turns(last) == [*SAID, ("assistant", "Thank you")]


def test_what_was_said_after_waking_up_survives_a_second_death(
    settings: Settings, receiver: RunningReceiver
):
    with caller(settings, 0.8) as process:
        wait_until_journalled(settings)
        process.send_signal(signal.SIGSTOP)
        with Zelto(settings=settings) as zelto:
            talk(zelto, "other")
            assert receiver.wait_for("conv-1", timeout=20)
            assert journalled(settings) == 0
            process.send_signal(signal.SIGCONT)
            assert process.stdin is not None
            process.stdin.write("turn\n")
            process.stdin.flush()
            wait_until_journalled(settings)
            process.kill()
            talk(zelto, "another")
            until(lambda: len(turns(receiver.conversation("conv-1"))) == 5)


def test_words_are_redacted_before_any_byte_is_written(
    settings: Settings, receiver: RunningReceiver
):
    with caller(settings, LONG, "redact") as process:
        wait_until_journalled(settings)
        until(lambda: b"[card]" in everything_in(settings))
        assert b"4711" not in everything_in(settings)
        process.kill()
        with Zelto(settings=settings) as zelto:
            talk(zelto, "other")
            assert receiver.wait_for("conv-1", timeout=20)
    assert b"4711" not in everything_in(settings)
    assert turns(receiver.conversation("conv-1"))[0] == ("user", "My card is [card], part 0")


def test_a_call_that_ends_leaves_no_journal(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        call = zelto.call("conv-1", agent_id="support")
        call.turn("user", "Hi", start=0.4, end=1.1)
        until(lambda: [d.state for d in waiting(settings.outbox)] == ["live"])
        call.end()
        assert zelto.flush(20)
    assert [d.state for d in waiting(settings.outbox)] == ["sent"]
    assert receiver.wait_for("conv-1")


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [b"", b"{", b"[]", b"null", b'{"kind":"FromTheFuture","at":1}', b'{"kind":"TurnSaid"}'],
        [encoded(CallStarted(at=1.0, external_id="conv-1")), b"\xff\xfe"],
    ],
)
def test_a_journal_that_cannot_be_read_still_gives_a_call(facts: list[bytes]):
    orphan = Orphan("j", "https://x", "conv-1", 2.0, facts)
    put = _adopt._put(orphan, Settings.load({}))
    assert json.loads(put.document)["call"]["externalId"] == "conv-1"
    assert json.loads(put.document)["call"]["endedReason"] == "agent-process-died"
    assert put.held
