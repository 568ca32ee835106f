"""Time that passes only when nobody has anything to do: a call of an hour in a few seconds.

Inside ``run`` the event loop's clock, and ``time`` for the thread that runs it, stand still while
code runs, and jump to the next timer once all of it waits. So what a session measures is exact on
a busy machine too. Other threads keep the real clock.

Import it before anything that keeps a reference to ``time.time``; livekit-agents does.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

_T = TypeVar("_T")
# What another thread works on is waited for in real time.
_PATIENCE = 0.01


class _Passed(threading.local):
    """Seconds by which the virtual clock of a thread is ahead; None where time is real."""

    seconds: float | None = None
    began: float = 0.0


_passed = _Passed()


def _shifted(real: Callable[[], float]) -> Callable[[], float]:
    origin = real()

    def clock() -> float:
        if _passed.seconds is None:
            return real()
        return origin + _passed.began + _passed.seconds

    return clock


def _in_nanoseconds(clock: Callable[[], float]) -> Callable[[], int]:
    return lambda: round(clock() * 1e9)


if "livekit.agents" in sys.modules:
    raise ImportError("virtual_time comes too late: livekit-agents has kept the real clock")
_imported = time.perf_counter()
_now = time.perf_counter
for _name in ("time", "monotonic", "perf_counter"):
    _clock = _shifted(getattr(time, _name))
    setattr(time, _name, _clock)
    setattr(time, f"{_name}_ns", _in_nanoseconds(_clock))


class _Selector(selectors.DefaultSelector):
    threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout is None or timeout <= 0:
            return ready or super().select(timeout)
        if self.threads_at_work:
            return super().select(_PATIENCE)
        assert _passed.seconds is not None
        _passed.seconds += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)

    def time(self) -> float:
        return _passed.seconds or 0.0

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        self._waits.threads_at_work += 1
        done = super().run_in_executor(executor, func, *args)
        done.add_done_callback(self._thread_done)
        return done

    def _thread_done(self, _: object) -> None:
        self._waits.threads_at_work -= 1


def run(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """``asyncio.run`` on a clock of its own, which starts at the real time."""
    _passed.began, _passed.seconds = _now() - _imported, 0.0
    try:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            return runner.run(main())
    finally:
        _passed.seconds = None
