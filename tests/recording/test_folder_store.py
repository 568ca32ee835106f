"""A folder that somebody serves is a store too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recording.conftest import Look
from talking import until

COPYING = """
import sys
from pathlib import Path
from zelto_agents.recording._files import copy_durably
copy_durably(Path(sys.argv[1]), Path(sys.argv[2]))
"""
SERVED = "https://media.example.com/calls/"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "served" / "calls"


def test_a_file_is_copied_and_its_public_url_given(look: Look, recording: Path, place: Path):
    sound = recording.read_bytes()
    found = look.found("file", recording, store=str(place), public_url=SERVED)
    (copy,) = place.iterdir()
    assert copy.read_bytes() == sound
    assert copy.stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert (found.url, found.expires_at) == (f"{SERVED}{copy.name}", None)
    assert found.becomes == ("object", copy.name)
    assert not recording.exists()


@pytest.mark.parametrize("before", ["", "file://"])
def test_a_copy_is_found_again(look: Look, recording: Path, place: Path, before: str):
    options = {"store": f"{before}{place}", "public_url": SERVED}
    found = look.found("file", recording, **options)
    assert found.becomes is not None
    assert look.found(*found.becomes, **options).url == found.url
    assert look.found("file", recording, **options).url == found.url


def test_what_a_killed_copy_left_is_gone_after_the_next(
    look: Look, recording: Path, place: Path, tmp_path: Path
):
    sound = recording.read_bytes()
    look.found("file", recording, store=str(place), public_url=SERVED)
    (copy,) = place.iterdir()
    others = place / f".{copy.name}.mine"
    others.touch()
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    with subprocess.Popen([sys.executable, "-c", COPYING, str(slow), str(copy)]) as process:
        with slow.open("wb"):
            until(lambda: len(list(place.iterdir())) == 3)
            process.kill()
            process.wait()
    assert len(list(place.iterdir())) == 3
    recording.write_bytes(sound)
    look.found("file", recording, store=str(place), public_url=SERVED)
    assert sorted(place.iterdir()) == sorted([copy, others])
    assert copy.read_bytes() == sound


def test_without_a_public_url_nobody_could_fetch_it(look: Look, recording: Path, place: Path):
    assert look.not_yet("file", recording, store=str(place)) == (
        "ZELTO_RECORDINGS is a folder, which nobody can fetch from: set ZELTO_RECORDINGS_URL to "
        "where it is served"
    )
    assert recording.exists()
    assert not place.exists()


def test_a_place_that_is_no_folder(look: Look, recording: Path, place: Path):
    place.parent.mkdir()
    place.write_text("in the way")
    why = look.not_yet("file", recording, store=str(place), public_url=SERVED)
    assert why == "call.wav cannot be copied into ZELTO_RECORDINGS (File exists)"
    assert recording.exists()


def test_a_copy_that_is_gone_is_hopeless(look: Look, place: Path):
    why = look.hopeless("object", "a.wav", store=str(place), public_url=SERVED)
    assert why == "a.wav is not in ZELTO_RECORDINGS any more"


def test_no_key_leads_out_of_the_folder(look: Look, recording: Path, place: Path):
    place.mkdir(parents=True)
    (place.parent / "secret").write_text("not served")
    why = look.hopeless("object", "../secret", store=str(place), public_url=SERVED)
    assert why == "the key leads out of the folder of recordings"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
