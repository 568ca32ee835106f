"""Daily makes links that expire, as long as it allows."""

from __future__ import annotations

import time
from typing import Any

import pytest

from recording.conftest import DAY, Look
from recording.servers import Answer, Request, WebServer, said

KEY = "daily-key"
ID = "0cb313e1-211f-4be0-833d-8c7305b19902"
LINK = "https://bucket.s3.amazonaws.com/a.mp4?X-Amz-Signature=00ff"


@pytest.fixture
def look(look: Look, web: WebServer) -> Look:
    look.options |= {"environ": {"DAILY_API_KEY": KEY}, "daily_url": f"{web.url}/v1"}
    return look


def daily(web: WebServer, status: str = "finished", **link: Any) -> None:
    """Lets the server answer as Daily does, to those who have the key."""
    given = {"download_link": LINK, "expires": int(time.time()) + 3600, **link}
    answers = {
        f"/v1/recordings/{ID}": {"id": ID, "room_name": "support", "status": status},
        f"/v1/recordings/{ID}/access-link": given,
    }

    def respond(request: Request) -> Answer:
        if request.headers["Authorization"] != f"Bearer {KEY}":
            return said({"error": "authentication-error"}, 401)
        return said(answers[request.path])

    for path in answers:
        web.resources[path] = respond


def test_one_that_is_finished_gives_a_link_that_says_when_it_expires(look: Look, web: WebServer):
    daily(web, expires=1_900_000_000)
    found = look.found("daily", ID)
    assert (found.url, found.expires_at) == (LINK, 1_900_000_000.0)
    assert found.becomes == ("daily", ID)


@pytest.mark.parametrize(("asked", "given"), [(7 * DAY, 43_200), (3600.0, 3600), (60.0, 900)])
def test_a_link_lives_as_long_as_daily_allows(look: Look, web: WebServer, asked: float, given: int):
    daily(web)
    look.found("daily", ID, url_life=asked)
    assert web.requests[-1].query == f"valid_for_secs={given}"


def test_one_that_is_not_finished_is_waited_for(look: Look, web: WebServer):
    daily(web, status="in-progress")
    assert look.not_yet("daily", ID) == "the recording at Daily is in-progress"


def test_one_that_was_canceled_is_hopeless(look: Look, web: WebServer):
    daily(web, status="canceled")
    assert look.hopeless("daily", ID) == "the recording at Daily was canceled"


def test_a_sentence_in_place_of_a_link_is_no_url(look: Look, web: WebServer):
    daily(web, download_link="access to recordings is disabled")
    assert look.not_yet("daily", ID) == (
        "Daily gives no link: check that the domain allows downloads"
    )


def test_one_that_is_not_there_may_be_another_domains(look: Look):
    assert look.not_yet("daily", ID) == (
        "Daily has no such recording in this domain: it was deleted, or is another domain's"
    )


def test_a_wrong_key(look: Look, web: WebServer):
    daily(web)
    assert look.not_yet("daily", ID, environ={"DAILY_API_KEY": "wrong"}) == (
        "Daily refuses the credential (401): check DAILY_API_KEY"
    )


def test_no_key(look: Look):
    assert look.not_yet("daily", ID, environ={}) == (
        "Daily cannot be asked: DAILY_API_KEY is not set"
    )


def test_what_is_no_id_is_hopeless(look: Look, web: WebServer):
    assert look.hopeless("daily", "../rooms") == (
        "a recording's id at Daily has letters, digits and hyphens"
    )
    assert not web.requests
