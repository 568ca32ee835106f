"""Whatever is wrong with the bucket or the disk, the conversation arrives and the reason is shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import environment, run
from recording.servers import S3Server
from shelf import FROM_HERE, audio_of, sound_in
from zelto_agents import Zelto
from zelto_agents.receiver import RunningReceiver, run_in_thread

SOUND = bytes(range(256)) * 40


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    """One that may fetch from this machine."""
    with run_in_thread(limits=FROM_HERE) as running:
        yield running


def record(receiver: RunningReceiver, outbox: Path, **options: object) -> None:
    """A call with its audio, to its end."""
    known = {"api_key": receiver.key, "base_url": receiver.url, "outbox": outbox}
    with Zelto(**known, **options) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi", start=0.1, end=0.4)
            for start in range(0, len(SOUND), 1024):
                call.audio(SOUND[start : start + 1024], rate=8000)
        assert zelto.flush()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credential"),
        ({"bucket": "nobody-made-it"}, "there is no s3://nobody-made-it"),
    ],
)
def test_a_bucket_that_takes_nothing_costs_only_time(
    receiver: RunningReceiver,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, str],
    why: str,
):
    for name in fault.keys() - {"bucket"}:
        monkeypatch.setenv(name, fault[name])
    store = f"s3://{fault.get('bucket', bucket)}"
    record(receiver, tmp_path / "outbox", recordings=store)
    assert receiver.wait_for("conv-1")["turns"][0]["content"] == "Hi"
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    drained = run("drain", env=env | {"ZELTO_RECORDINGS": store})
    assert drained.code == 1
    (waiting,) = run("outbox", "list", "--json", env=env).json["recordings"]
    assert waiting["state"] == "waiting"
    assert why in waiting["details"]
    assert waiting["details"] in drained.errors
    (file,) = (tmp_path / "outbox" / "recordings").iterdir()
    assert sound_in(file.read_bytes()) == (8000, 1, SOUND)
    mended = env | s3.environment | {"ZELTO_RECORDINGS": f"s3://{bucket}"}
    assert run("drain", env=mended).code == 0
    assert sound_in(audio_of(receiver))[2] == SOUND


def test_a_disk_that_fills_up_costs_the_end_of_the_recording(
    receiver: RunningReceiver, s3: S3Server, bucket: str, tmp_path: Path
):
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        outbox = small / "outbox"
        with Zelto(api_key=receiver.key, base_url=receiver.url, outbox=outbox) as zelto:
            zelto.call("conv-0", agent_id="support").end()  # the outbox is there
            assert zelto.flush()
        room = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
        (small / "others").write_bytes(bytes(room - 128 * 1024))
        with Zelto(
            api_key=receiver.key,
            base_url=receiver.url,
            outbox=outbox,
            recordings=f"s3://{bucket}",
        ) as zelto:
            with zelto.call("conv-1", agent_id="support") as call:
                call.turn("user", "Hi", start=0.1, end=0.4)
                for _ in range(400):
                    call.audio(SOUND, rate=8000)
            zelto.flush(10)
            assert receiver.wait_for("conv-1")["turns"][0]["content"] == "Hi"
            rate, _, samples = sound_in(audio_of(receiver))
        assert rate == 8000
        assert samples.startswith(SOUND[:1000])
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
