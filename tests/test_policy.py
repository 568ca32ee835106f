"""The policy: what each answer means, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelto_agents.policy import Answer, Verdict, backoff, classify, probe_after, retry_after

NOW = 1_795_000_000.0  # Wed, 18 Nov 2026 11:06:40 GMT


def verdict(status: int | None, **more: str) -> Verdict:
    return classify(Answer(status, **more), attempts=1, now=NOW, jitter=lambda: 0.75)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_sent(status: int):
    assert verdict(status) == Verdict("sent")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_holds_and_is_probed_after_minutes(status: int):
    assert verdict(status) == Verdict("hold", 300, f"status {status}", away="key")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_document_is_a_dead_letter(status: int):
    assert verdict(status) == Verdict("dead", why=f"status {status}")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_server_in_trouble_is_retried(status: int):
    assert verdict(status) == Verdict("retry", 1.5, f"status {status}", away="outage")


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405, 410, 501])
def test_an_answer_of_another_server_is_retried_slowly_and_blames_the_base_url(status: int):
    why = f"status {status}: the base URL looks wrong"
    assert verdict(status) == Verdict("retry", 300, why, away="base_url")


def test_no_answer_is_retried_with_its_fault():
    assert verdict(None, fault="ConnectError") == Verdict(
        "retry", 1.5, "ConnectError", away="outage"
    )


@pytest.mark.parametrize("status", [402, 409, 418, 451, 100, 600])
def test_an_answer_that_nobody_foresaw_never_drops_a_call(status: int):
    assert verdict(status).action == "retry"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        (" 120 ", 120),
        ("0", 0),
        ("999999999999999999", 3600),
        ("Wed, 18 Nov 2026 11:07:10 GMT", 30),
        ("Wed, 18 Nov 2026 11:06:00 GMT", 0),
        ("Fri, 18 Nov 2033 11:06:00 GMT", 3600),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped(header: str | None, seconds: float):
    assert retry_after(header, now=NOW) == seconds


def test_retry_after_is_waited_for_and_never_shortens_the_backoff():
    assert verdict(429, retry_after="30") == Verdict(
        "retry", 30, "status 429", away="outage", wait=30
    )
    assert verdict(503, retry_after="1").delay == 1.5


def test_a_receiver_that_is_down_is_asked_less_and_less_often():
    assert [probe_after(n, lambda: 1.0) for n in (0, 1, 2, 6, 7, 50)] == [1, 2, 4, 64, 120, 120]
    assert probe_after(50, lambda: 0.0) == 60


@pytest.mark.parametrize(
    ("answer", "unsure"),
    [
        (Answer(500), True),
        (Answer(504), True),
        (Answer(408), True),
        (Answer(fault="no answer in time"), True),
        (Answer(fault="ConnectError", unsent=True), False),
        (Answer(429), False),
        (Answer(401), False),
    ],
)
def test_a_request_without_a_clear_answer_may_yet_be_processed(answer: Answer, *, unsure: bool):
    assert answer.unsure is unsure


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_stays_between_one_second_and_fifteen_minutes(attempts: int, chance: float):
    assert 1 <= backoff(attempts, lambda: chance) <= 900


def test_backoff_doubles():
    assert [backoff(n, lambda: 1.0) for n in (1, 2, 3, 9, 10, 50)] == [2, 4, 8, 512, 900, 900]


@given(st.integers(100, 999), st.text(max_size=40))
def test_every_status_with_any_header_has_a_verdict(status: int, header: str):
    assert classify(Answer(status, retry_after=header), now=NOW).delay >= 0
