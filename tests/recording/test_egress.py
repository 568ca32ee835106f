"""LiveKit's egress: asked for with a token it accepts, and only this call's file is taken."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from livekit.api import TokenVerifier

from recording.conftest import Look
from recording.servers import Answer, Request, S3Server, WebServer, said
from zelto_agents.recording import Found, NotYet

KEY, SECRET = "devkey", "s" * 32
PATH = "/twirp/livekit.Egress/ListEgress"
START = 1_760_000_000
FILE = "https://rec.s3.amazonaws.com/calls/a.ogg"


@pytest.fixture
def look(look: Look, web: WebServer) -> Look:
    look.options["environ"] = {
        "LIVEKIT_URL": web.url.replace("http", "ws", 1),
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
    }
    return look


@pytest.fixture
def listed(web: WebServer) -> Callable[..., None]:
    """Says which egresses LiveKit lists, as its server does: of one room, or one egress."""

    def lists(*items: dict[str, Any]) -> None:
        def answer(request: Request) -> Answer:
            token = (request.headers["Authorization"] or "").removeprefix("Bearer ")
            grants = TokenVerifier(KEY, SECRET).verify(token).video
            if not grants or not grants.room_record:
                return said({"code": "unauthenticated", "msg": "permissions denied"}, 401)
            asked = request.json
            found = [
                item
                for item in items
                if asked.get("room_name") in (None, item["room_name"])
                and asked.get("egress_id") in (None, item["egress_id"])
            ]
            return said({"items": found})

        web.resources[PATH] = answer

    return lists


def egress(status: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """One egress as the server writes it, which began ``number`` minutes after START."""
    ended = {"ended_at": str((START + 60 * number + 50) * 10**9)} if "ended" not in more else {}
    return {
        "egress_id": f"EG_{number}",
        "room_name": "support",
        "status": f"EGRESS_{status}",
        "started_at": str((START + 60 * number) * 10**9),
        **(ended if status not in ("STARTING", "ACTIVE", "ENDING") else {}),
        **more,
    }


def wrote(location: str = FILE) -> dict[str, Any]:
    return {"file_results": [{"filename": "a.ogg", "location": location, "size": "1000"}]}


def room(**more: Any) -> str:
    return json.dumps({"room": "support", **more})


@pytest.mark.parametrize("status", ["STARTING", "ACTIVE", "ENDING"])
def test_one_that_is_not_over_is_waited_for(look: Look, listed: Any, status: str):
    listed(egress(status))
    assert look.not_yet("livekit-egress", room()) == "the egress is not over yet"


def test_a_status_that_is_left_out_is_the_first(look: Look, listed: Any):
    item = egress("STARTING")
    del item["status"]
    listed(item)
    assert look.not_yet("livekit-egress", room()) == "the egress is not over yet"


@pytest.mark.parametrize("reference", [room(), json.dumps({"egress": "EG_1"})])
def test_a_public_location_is_the_url(look: Look, listed: Any, web: WebServer, reference: str):
    web.resources["/a.ogg"] = (200, {}, b"OggS")
    listed(egress("COMPLETE", **wrote(f"{web.url}/a.ogg")))
    found = look.found("livekit-egress", reference)
    assert (found.url, found.expires_at, found.becomes) == (f"{web.url}/a.ogg", None, None)


def test_the_names_of_protobufs_json_are_read_in_either_form(
    look: Look, listed: Any, web: WebServer
):
    web.resources["/a.ogg"] = (200, {}, b"OggS")
    listed(
        {
            "egress_id": "EG_1",
            "room_name": "support",
            "status": 3,
            "startedAt": "1",
            "fileResults": [{"location": f"{web.url}/a.ogg"}],
        }
    )
    assert look.found("livekit-egress", room()).url == f"{web.url}/a.ogg"


@pytest.mark.parametrize(
    "form",
    [
        "https://{0}.s3.amazonaws.com/calls/an%20egress.ogg",
        "https://{0}.s3.eu-central-1.amazonaws.com/calls/an%20egress.ogg",
        "https://s3.amazonaws.com/{0}/calls/an%20egress.ogg",
        "http://127.0.0.1/{0}/calls/an%20egress.ogg",
        "s3://{0}/calls/an egress.ogg",
    ],
)
def test_a_location_in_our_bucket_becomes_a_signed_url(
    look: Look, listed: Any, s3: S3Server, bucket: str, form: str
):
    (s3.folder_of(bucket) / "calls").mkdir()
    (s3.folder_of(bucket) / "calls" / "an egress.ogg").write_bytes(b"OggS")
    listed(egress("COMPLETE", **wrote(form.format(bucket))))
    look.options["environ"] |= s3.environment
    found = look.found("livekit-egress", room(), store=f"s3://{bucket}/elsewhere")
    assert httpx.get(found.url, trust_env=False).content == b"OggS"
    assert found.becomes == ("object", "calls/an egress.ogg")
    assert found.expires_at is not None


@pytest.mark.parametrize(
    "location",
    [
        "https://other.s3.amazonaws.com/calls/a.ogg",
        "https://rec.example.com/rec/a.ogg",
        "https://rec.s3.amazonaws.com.example.com/a.ogg",
    ],
)
def test_a_location_elsewhere_is_not_taken_for_ours(location: str):
    from zelto_agents.recording._store import open_store

    store = open_store("s3://rec", None, 60.0, {})
    assert store.key_at(location) is None


@pytest.mark.parametrize(
    ("place", "location", "key"),
    [
        ("gs://rec", "https://rec.storage.googleapis.com/a/b.ogg", "a/b.ogg"),
        ("gs://rec", "https://storage.googleapis.com/rec/a/b.ogg", "a/b.ogg"),
        ("gs://rec", "gs://rec/a/b.ogg", "a/b.ogg"),
        ("az://rec", "https://acct.blob.core.windows.net/rec/a/b.ogg", "a/b.ogg"),
        ("az://rec", "https://rec.blob.core.windows.net/rec/a/b.ogg", "a/b.ogg"),
        ("az://rec", "https://acct.blob.core.windows.net/other/a.ogg", None),
        ("gs://rec", "https://rec.s3.amazonaws.com/a.ogg", None),
    ],
)
def test_the_addresses_of_other_clouds(place: str, location: str, key: str | None):
    from zelto_agents.recording._store import open_store

    assert open_store(place, None, 60.0, {}).key_at(location) == key


def test_a_private_location_is_said(look: Look, listed: Any, web: WebServer):
    web.resources["/rec/a.ogg"] = (403, {}, b"")
    listed(egress("COMPLETE", **wrote(f"{web.url}/rec/a.ogg")))
    assert look.not_yet("livekit-egress", room()) == (
        "the recording is in a private bucket: set ZELTO_RECORDINGS to it, so that URLs are signed"
    )


def test_a_bucket_that_is_not_ours_is_named(look: Look, listed: Any):
    listed(egress("COMPLETE", **wrote("gs://other/a.ogg")))
    assert look.not_yet("livekit-egress", room()) == (
        "the recording is in gs://other: set ZELTO_RECORDINGS to it, so that URLs are signed"
    )


def test_a_file_on_the_servers_disk_is_hopeless(look: Look, listed: Any):
    listed(egress("COMPLETE", **wrote("/out/a.ogg")))
    assert look.hopeless("livekit-egress", room()) == (
        "the recording is on the disk of the server that recorded it: have it uploaded to a bucket"
    )


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (
            egress("FAILED", error="upload failed:\n  no such bucket " + "x" * 500),
            "the egress ended as FAILED: upload failed: no such bucket " + "x" * 170,
        ),
        (
            egress("ABORTED", error="PUT https://rec.example.com/a.ogg?X-Amz-Signature=00ff: 403"),
            "the egress ended as ABORTED: PUT https://rec.example.com/a.ogg?... 403",
        ),
        (egress("ABORTED"), "the egress ended as ABORTED"),
        (
            egress("LIMIT_REACHED", error="max duration"),
            "the egress ended as LIMIT_REACHED: max duration",
        ),
        (
            egress("COMPLETE", segment_results=[{"playlist_location": "https://x/a.m3u8"}]),
            "the egress wrote segments (HLS): start it with a file output",
        ),
        (egress("COMPLETE"), "the egress wrote no file: start it with a file output"),
    ],
)
def test_one_that_has_no_file_is_hopeless(look: Look, listed: Any, item: dict[str, Any], why: str):
    listed(item)
    assert look.hopeless("livekit-egress", room()) == why


def test_of_several_calls_in_one_room_each_gets_its_own(look: Look, listed: Any, web: WebServer):
    for name in ("first", "second"):
        web.resources[f"/{name}.ogg"] = (200, {}, b"OggS")
    first = egress("COMPLETE", 1, **wrote(f"{web.url}/first.ogg"))
    second = egress("COMPLETE", 60, **wrote(f"{web.url}/second.ogg"))
    listed(second, first)
    # The agent of a call comes some time after its egress began.
    calls = {
        "first": {"after": START + 70, "until": START + 108},
        "second": {"after": START + 3610, "until": START + 3650},
    }
    for name, times in calls.items():
        assert look.found("livekit-egress", room(**times)).url == f"{web.url}/{name}.ogg"


def test_the_egress_of_another_call_is_not_given_to_one_without(look: Look, listed: Any):
    listed(egress("COMPLETE", 1, **wrote()), egress("COMPLETE", 60, **wrote()))
    times = {"after": time.time() - 60, "until": time.time()}
    why = look.not_yet("livekit-egress", room(**times))
    assert why == "LiveKit lists no egress of this call yet"


def test_one_that_began_again_after_a_fault_is_found(look: Look, listed: Any, web: WebServer):
    web.resources["/a.ogg"] = (200, {}, b"OggS")
    listed(egress("FAILED", 1), egress("COMPLETE", 2, **wrote(f"{web.url}/a.ogg")))
    assert look.found("livekit-egress", room()).url == f"{web.url}/a.ogg"


def test_none_at_all_is_hopeless_after_a_while(look: Look, listed: Any):
    listed()
    assert look.not_yet("livekit-egress", room(after=time.time() - 3600)) == (
        "LiveKit lists no egress of this call yet"
    )
    assert look.hopeless("livekit-egress", room(after=time.time() - 2 * 86_400)) == (
        "LiveKit knows of no egress of this call: was one started?"
    )


def test_every_page_of_the_list_is_read(look: Look, web: WebServer):
    web.resources["/a.ogg"] = (200, {}, b"OggS")
    last = egress("COMPLETE", 2, **wrote(f"{web.url}/a.ogg"))

    def pages(request: Request) -> Answer:
        if request.json.get("page_token") == {"token": "more"}:
            return said({"items": [last]})
        return said({"items": [egress("FAILED", 1)], "next_page_token": {"token": "more"}})

    web.resources[PATH] = pages
    assert look.found("livekit-egress", room()).url == f"{web.url}/a.ogg"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            said({"code": "unauthenticated", "msg": "invalid token"}, 401),
            "LiveKit refuses the credential (401): check LIVEKIT_URL, LIVEKIT_API_KEY and "
            "LIVEKIT_API_SECRET",
        ),
        (said({"code": "unavailable"}, 503), "LiveKit answers 503"),
        ((502, {}, b"<html>"), "LiveKit answers 502"),
        (said(["odd"], 500), "LiveKit answers 500"),
        (
            said({"code": "internal", "msg": "egress not\nconnected"}, 500),
            "LiveKit answers 500: egress not connected",
        ),
        ((404, {}, b""), "there is no egress API at LIVEKIT_URL: check it"),
        ((200, {}, b"<html>"), "LiveKit did not answer with a JSON object"),
    ],
)
def test_a_server_that_does_not_help_is_asked_again(
    look: Look, web: WebServer, answer: Answer, why: str
):
    web.resources[PATH] = answer
    assert look.not_yet("livekit-egress", room()) == why


def test_a_busy_server_says_when_to_come_back(look: Look, web: WebServer):
    web.resources[PATH] = said({}, 429, **{"Retry-After": "40"})
    answer = look("livekit-egress", room())
    assert isinstance(answer, NotYet)
    assert (answer.why, answer.wait) == ("LiveKit answers 429", 40.0)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("LIVEKIT_API_SECRET", "", "LiveKit cannot be asked: LIVEKIT_API_SECRET is not set"),
        ("LIVEKIT_URL", "ws://127.0.0.1:9", "LiveKit gave no answer (ConnectError)"),
        (
            "LIVEKIT_URL",
            "example.livekit.cloud",
            "LIVEKIT_URL is not a URL such as wss://example.livekit.cloud",
        ),
    ],
)
def test_settings_that_are_wrong_are_said(look: Look, name: str, value: str, why: str):
    look.options["environ"] |= {name: value}
    assert look.not_yet("livekit-egress", room()) == why


@pytest.mark.parametrize("reference", ["", "[]", "{}", '{"room": "a", "after": "soon"}', "EG_1"])
def test_a_reference_that_names_nothing_is_hopeless(look: Look, reference: str):
    assert look.hopeless("livekit-egress", reference) == (
        'an egress is named by a JSON object such as {"room": "...", "after": 1700000000}'
    )


def test_a_signature_is_in_no_sentence(look: Look, listed: Any, folder: Path, web: WebServer):
    web.resources["/a.ogg"] = (403, {}, b"")
    listed(egress("COMPLETE", **wrote(f"{web.url}/a.ogg?X-Amz-Signature=deadbeef")))
    answer = look("livekit-egress", room())
    assert not isinstance(answer, Found)
    assert "deadbeef" not in answer.why


def test_of_a_room_whose_name_is_used_again_the_sid_decides(look: Look, listed: Any):
    before = egress("COMPLETE", 1, room_id="RM_1", **wrote("https://x.example/before.ogg"))
    mine = egress("COMPLETE", 2, room_id="RM_2", **wrote())
    after = egress("COMPLETE", 3, room_id="RM_3", **wrote("https://x.example/after.ogg"))
    listed(before, mine, after)
    assert look.found("livekit-egress", room(sid="RM_2", after=START)).url == FILE


def test_of_two_in_one_room_the_one_that_began_with_the_call_is_its(look: Look, listed: Any):
    before = egress("COMPLETE", 0, **wrote("https://x.example/before.ogg"))
    listed(before, egress("COMPLETE", 1, **wrote()))
    assert look.found("livekit-egress", room(after=START + 49)).url == FILE


@pytest.mark.parametrize("status", ["STARTING", "ACTIVE", "ENDING"])
def test_while_the_nearest_is_not_over_none_further_away_is_taken(
    look: Look, listed: Any, status: str
):
    before = egress("COMPLETE", 1, **wrote("https://x.example/before.ogg"))
    listed(before, egress(status, 2))
    assert look.not_yet("livekit-egress", room(after=START + 105)) == "the egress is not over yet"


def test_one_that_has_not_begun_may_be_the_nearest(look: Look, listed: Any):
    before = egress("COMPLETE", 1, **wrote("https://x.example/before.ogg"))
    listed(before, egress("STARTING", 2, started_at="0"))
    assert look.not_yet("livekit-egress", room(after=START + 105)) == "the egress is not over yet"


def test_one_further_away_that_is_not_over_is_not_waited_for(look: Look, listed: Any):
    listed(egress("ACTIVE", 2), egress("COMPLETE", 1, **wrote()))
    assert look.found("livekit-egress", room(after=START + 70)).url == FILE


@pytest.mark.parametrize("number", [1, 3])
def test_calls_in_one_room_with_one_sid_are_told_apart_by_their_times(
    look: Look, listed: Any, number: int
):
    listed(egress("COMPLETE", number, room_id="RM_1", **wrote()))
    times = {"after": START + 120, "until": START + 170}
    assert look.hopeless("livekit-egress", room(sid="RM_1", **times)) == (
        "LiveKit knows of no egress of this call: was one started?"
    )
