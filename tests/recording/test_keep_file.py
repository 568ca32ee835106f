"""A finished recording is kept where nobody else deletes it, whatever the disks are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from zelto_agents.recording import keep_file
from zelto_agents.recording._files import copy_durably

SHM = Path("/dev/shm")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "session" / "audio.ogg"
    path.parent.mkdir()
    path.write_bytes(b"OggS" * 1000)
    return path


def test_it_is_copied_for_its_owner_alone(recording: Path, tmp_path: Path):
    kept = tmp_path / "outbox" / "recordings" / "kept.ogg"
    assert keep_file(recording, kept) == kept
    recording.write_bytes(b"the next call")
    assert kept.read_bytes() == b"OggS" * 1000
    assert (kept.parent.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    if not SHM.is_dir() or SHM.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    folder = SHM / f"zelto-{os.getpid()}"
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_on_another_disk_it_is_copied(recording: Path, elsewhere: Path):
    assert keep_file(recording, elsewhere / "kept.ogg") == elsewhere / "kept.ogg"
    assert (elsewhere / "kept.ogg").read_bytes() == b"OggS" * 1000
    assert (elsewhere / "kept.ogg").stat().st_mode & 0o777 == 0o600
    assert recording.exists()
    assert [path.name for path in elsewhere.iterdir()] == ["kept.ogg"]


def test_a_full_disk_leaves_it_where_it_is(recording: Path, tmp_path: Path):
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    recording.write_bytes(bytes(1_000_000))
    try:
        assert keep_file(recording, small / "kept.ogg") == recording
        assert recording.stat().st_size == 1_000_000
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_folder_that_cannot_be_made_leaves_it_where_it_is(recording: Path, tmp_path: Path):
    (tmp_path / "outbox").write_text("in the way")
    assert keep_file(recording, tmp_path / "outbox" / "kept.ogg") == recording
    assert recording.exists()


def test_what_is_not_there_cannot_be_kept(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        keep_file(tmp_path / "none.ogg", tmp_path / "kept.ogg")


def test_a_copy_that_fails_leaves_nothing_behind(recording: Path, tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept.ogg").mkdir()  # no file takes the place of a folder
    with pytest.raises(OSError, match="directory"):
        copy_durably(recording, target / "kept.ogg")
    assert [path.name for path in target.iterdir()] == ["kept.ogg"]
    assert recording.exists()
