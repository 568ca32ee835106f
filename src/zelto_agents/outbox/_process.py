"""Which process this is, and whether another one of this host is still there."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import uuid
from pathlib import Path

from zelto_agents._frozen import frozen

__all__ = ["Process"]


@frozen
class Process:
    """One holder of leases; ``born`` tells a process from a later one with the same number.

    ``host`` is a boot of a machine, and the space of process numbers in it.
    """

    id: str
    host: str
    pid: int
    born: str

    @classmethod
    def this(cls) -> Process:
        """This process, as a holder of its own."""
        pid = os.getpid()
        return cls(uuid.uuid4().hex, _host(), pid, _born(pid) or "")

    def is_gone(self) -> bool:
        """Whether it is surely over; False when it cannot be known from here."""
        if self.host != _host() or sys.platform == "win32":
            return False
        if self.born:
            return _born(self.pid) not in (self.born, None)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


@functools.cache
def _host() -> str:
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _born(pid: int) -> str | None:
    """The clock tick at which it started, by Linux; '' when it is over, None if nobody says.

    A zombie is over: it has died, and only waits for its parent to notice.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc/self").exists() else None
    except OSError:  # out of file descriptors, for one
        return None
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
