"""The outbox, either engine, under several real processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

from outbox_processes import drain, open_at_once, struggle, write
from outboxes import BASE, NOW, OpenOutbox, send, states

CONTEXT = multiprocessing.get_context("spawn")


def start(work: Callable[..., None], *args: object) -> multiprocessing.process.BaseProcess:
    process = CONTEXT.Process(target=work, args=args)
    process.start()
    return process


def all_end_well(processes: list[multiprocessing.process.BaseProcess]) -> bool:
    for one in processes:
        one.join(120)
    return [one.exitcode for one in processes] == [0] * len(processes)


def test_eight_processes_may_open_a_new_store_at_once(store: str, open_outbox: OpenOutbox):
    ready = CONTEXT.Barrier(8)
    processes = [start(open_at_once, store, f"w{n}", ready) for n in range(8)]
    assert all_end_well(processes)
    assert states(open_outbox()) == {f"w{n}": "due" for n in range(8)}


def test_several_writers_and_drainers_lose_nothing_and_send_nothing_twice(
    store: str, open_outbox: OpenOutbox
):
    answers, each = CONTEXT.Queue(), 40
    writers = [start(write, store, f"w{n}", each) for n in range(3)]
    drainers = [start(drain, store, answers, 3 * each) for _ in range(2)]
    sent = [name for _ in drainers for name in answers.get(timeout=120)]
    assert all_end_well([*writers, *drainers])
    expected = sorted(f"w{n}-{i}" for n in range(3) for i in range(each))
    assert sorted(sent) == expected
    assert sorted(states(open_outbox())) == expected


def test_whatever_several_processes_do_at_once_none_of_them_is_refused(
    store: str, open_outbox: OpenOutbox
):
    assert all_end_well([start(struggle, store, seed, 150) for seed in range(4)])
    outbox, later = open_outbox(), NOW * 1000
    outbox.hurry(BASE, now=later)
    send(outbox, later)
    assert set(states(outbox).values()) <= {"sent", "awaited", "live"}
