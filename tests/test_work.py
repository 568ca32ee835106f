"""What the delivery thread does between two waits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from scripted_server import ScriptedServer, hang
from talking import settings_for, talk, until
from zelto_agents import Zelto, _work
from zelto_agents._drain import Drainer
from zelto_agents._work import Work
from zelto_agents.outbox import Put
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.uploader import Uploader


def test_while_a_sweep_waits_for_a_slow_receiver_the_thread_sleeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    looks: list[float] = []
    waited = threading.Event()
    keep_house = Work.keep_house

    def counted(work: Work) -> float:
        rest = keep_house(work)
        if work._sweeping:
            looks.append(rest)
            if len(looks) == 8:
                waited.set()
        return rest

    monkeypatch.setattr(Work, "keep_house", counted)
    monkeypatch.setattr(_work, "SWEEP_EVERY", 0.2)
    with ScriptedServer(hang) as server:
        settings = settings_for(server.url, tmp_path, shutdown_budget=0.2)
        outbox = SqliteOutbox(settings.outbox)
        body: Any = b'{"call":{"externalId":"old"},"agent":{"externalId":"a"}}'
        outbox.put(Put(server.url, "old", body), now=1.0)
        outbox.close()
        with Zelto(settings=settings) as zelto:
            talk(zelto)
            until(waited.is_set)
    assert all(rest > 0 for rest in looks)


@pytest.mark.parametrize("enabled", [True, False])
def test_making_the_client_does_not_have_the_hosts_whole_heap_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool
):
    collecting: list[bool] = []

    def made(*args: Any, **options: Any) -> Uploader:
        collecting.append(gc.isenabled())
        return Uploader(*args, **options)

    monkeypatch.setattr("zelto_agents._drain.Uploader", made)
    (gc.enable if enabled else gc.disable)()
    try:
        with contextlib.closing(SqliteOutbox(tmp_path / "outbox")) as outbox:
            drainer = Drainer(outbox, settings_for("http://127.0.0.1:9", tmp_path))
            asyncio.run(drainer.warm_up())
        assert (collecting, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()
