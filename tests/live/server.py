"""A real livekit-server of the tests' own, on loopback."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from livekit import api

ROOT = Path(__file__).parents[2]
BINARY = ROOT / ".tools" / "bin" / "livekit-server"
REASON = ROOT / ".tools" / "livekit-server.reason"


def missing() -> str | None:
    """Why there is no server to test against; None when there is one."""
    if BINARY.exists():
        return None
    with contextlib.suppress(FileNotFoundError):
        return REASON.read_text().strip()
    return "livekit-server is not built: run make servers"


class LiveServer:
    """One server with its key, until ``close``."""

    def __init__(self) -> None:
        self.key, self.secret = "devkey", secrets.token_hex(32)
        self._folder = Path(tempfile.mkdtemp(prefix="zelto-live-"))
        port = _free_port()
        self.url = f"ws://127.0.0.1:{port}"
        config = {
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "keys": {self.key: self.secret},
            "rtc": {
                "tcp_port": _free_port(),
                "udp_port": _free_port(socket.SOCK_DGRAM),
                "node_ip": "127.0.0.1",
                "use_external_ip": False,
                "enable_loopback_candidate": True,
            },
        }
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [BINARY, "--config-body", json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait(port)
        except BaseException:
            self.close()
            raise

    def token(self, room: str, identity: str, *, name: str, sip: dict[str, str] | None) -> str:
        """What lets a caller into a room; ``sip`` are the attributes of one on the telephone."""
        grants = api.VideoGrants(room_join=True, room=room)
        token = api.AccessToken(self.key, self.secret).with_identity(identity).with_name(name)
        if sip is not None:
            token = token.with_kind("sip").with_attributes(sip)
        return token.with_grants(grants).to_jwt()

    def api(self) -> api.LiveKitAPI:
        """Its API, for the length of an ``async with`` block."""
        return api.LiveKitAPI(self.url.replace("ws", "http", 1), self.key, self.secret)

    def environment(self) -> dict[str, str]:
        """What a worker is told of it."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.key,
            "LIVEKIT_API_SECRET": self.secret,
        }

    def close(self) -> None:
        """Stop it, and remove all that it wrote."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            log = (self._folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, f"livekit-server ended: {log[-2000:]}"
            assert time.monotonic() < deadline, f"livekit-server does not listen: {log[-2000:]}"
            time.sleep(0.02)


def _free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Out of the range that outgoing connections use: no one else is given it meanwhile."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket(type=kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
