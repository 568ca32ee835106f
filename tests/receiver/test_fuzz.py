"""Fifteen hundred bodies of every kind of wrong: no 500, no hang, and every one in the raw log."""

from __future__ import annotations

from receiver_fuzz import bodies, fire

COUNT = 1500


def test_no_body_gets_another_answer_than_the_contracts_and_all_are_kept(receiver):
    port = int(receiver.url.rsplit(":", 1)[1])
    sent = fire(port, receiver.key, bodies(20261125, COUNT))
    assert sent.wrong == []
    assert sent.count == COUNT
    assert set(sent.statuses) == {200, 400}
    receiver.wait_until_ingested(60)
    assert receiver.raw_count() == COUNT
    for number, (_, body) in enumerate(bodies(20261125, COUNT), start=1):
        assert receiver.raw_body(number) == body
    broken = [each for each in receiver.deliveries() if "ingest broke" in (each["reason"] or "")]
    assert broken == []
