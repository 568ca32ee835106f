"""Our own functions made to fail from the inside, and a watch over the thread that must not wait.

A function is hurt by exchanging its code: whoever holds it gets the hurt one, and the guards
around it stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import itertools
import pkgutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

__all__ = ["functions_of", "hanging", "hurt", "plugin_modules", "raising", "slow", "watched"]

Effect = Callable[[Callable[[], Any]], Any]
"""What a hurt function does; it is given the original to go on with, arguments included."""

_hurt: dict[str, tuple[FunctionType, Effect, Callable[[], bool], Counter[str]]] = {}


def raising(*faults: Callable[[], BaseException]) -> Effect:
    """Raise these in turn: the first time it is called the first of them, and so on."""
    turns = itertools.cycle(faults)

    def effect(_: Callable[[], Any]) -> Any:
        raise next(turns)()

    return effect


def slow(seconds: float) -> Effect:
    """Use the processor for so long first."""

    def effect(go_on: Callable[[], Any]) -> Any:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return go_on()

    return effect


def hanging(until: threading.Event, limit: float = 30.0) -> Effect:
    """Wait for ``until`` first; after so many seconds set it, so that whoever waits sees it set."""

    def effect(go_on: Callable[[], Any]) -> Any:
        if not until.wait(limit):
            until.set()
        return go_on()

    return effect


@contextlib.contextmanager
def hurt(
    functions: Iterable[Callable[..., Any]],
    effect: Effect,
    when: Callable[[], bool] = lambda: True,
) -> Iterator[Counter[str]]:
    """Hurt functions or methods, guarded or not.

    Args:
        functions: the ones.
        effect: what they do instead.
        when: asked at each call whether it is to be struck.

    Yields:
        How often each was struck, by name.
    """
    struck: Counter[str] = Counter()
    codes = [(function, function.__code__) for function in map(_inside, functions)]
    try:
        for function, code in codes:
            name = f"{function.__module__}.{function.__qualname__}"
            _hurt[name] = (_copy(function), effect, when, struck)
            function.__code__ = _code_that_strikes(name, code)
        yield struck
    finally:
        for function, code in codes:
            function.__code__ = code


def strike(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What the exchanged code of a hurt function calls."""
    original, effect, when, struck = _hurt[name]
    if not when():
        return original(*args, **options)
    struck[original.__qualname__] += 1
    return effect(functools.partial(original, *args, **options))


def _code_that_strikes(name: str, code: CodeType) -> CodeType:
    source = f"def hurt(*args, **options):\n    import harming\n    return harming.strike({name!r}, args, options)"
    made: dict[str, Any] = {}
    exec(source, made)
    striking: CodeType = made["hurt"].__code__
    return striking.replace(co_freevars=code.co_freevars)


def _copy(function: FunctionType) -> FunctionType:
    copied = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__kwdefaults__, copied.__qualname__ = function.__kwdefaults__, function.__qualname__
    return copied


def _inside(function: Any) -> FunctionType:
    inside = inspect.unwrap(getattr(function, "fget", None) or function)
    inside = getattr(inside, "__func__", inside)
    assert isinstance(inside, FunctionType)
    return inside


def plugin_modules(plugin: str = "livekit.plugins.zelto") -> list[ModuleType]:
    """Every module of a plugin."""
    found = pkgutil.iter_modules(importlib.import_module(plugin).__path__, f"{plugin}.")
    return [importlib.import_module(one.name) for one in found]


def functions_of(*modules: ModuleType) -> dict[str, FunctionType]:
    """Every function, method and property that is written in these modules, by name."""
    found: dict[str, FunctionType] = {}
    for module in modules:
        for value in vars(module).values():
            members = vars(value).values() if inspect.isclass(value) else [value]
            for member in members:
                with contextlib.suppress(AssertionError):
                    inside = _inside(member)
                    if inside.__code__.co_filename == module.__file__:
                        found[f"{module.__name__.split('.')[-1]}.{inside.__qualname__}"] = inside
    return found


_ROOT = Path(__file__).parents[1]
_OURS = (str(_ROOT / "src"), str(_ROOT / "plugins"))
_TOUCHING = (
    "open",
    "import",
    "os.",
    "sqlite3.",
    "socket.",
    "subprocess.",
    "fcntl.",
    "shutil.",
    "wait",
)
# A new thread is waited for until it has begun, which it does at once.
_START = threading.Thread.start.__code__
_thread: int | None = None
_touched: list[str] = []


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """What this thread does, on our behalf, that may take time: files, sockets, imports, waits."""
    global _thread  # noqa: PLW0603 - a hook cannot be taken back, so that there is one
    _install()
    _touched.clear()
    waits = [(time, "sleep"), (threading.Condition, "wait"), (threading.Thread, "join")]
    originals = [getattr(place, name) for place, name in waits]
    _thread = threading.get_ident()
    try:
        for (place, name), original in zip(waits, originals, strict=True):
            setattr(place, name, _noted(original))
        yield _touched
    finally:
        _thread = None
        for (place, name), original in zip(waits, originals, strict=True):
            setattr(place, name, original)


def _noted(wait: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        _hook("wait", ())
        return wait(*args, **options)

    return noted


@functools.cache
def _install() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, _: object) -> None:
    if threading.get_ident() != _thread or not event.startswith(_TOUCHING):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _START:
        if frame.f_code.co_filename.startswith(_OURS):
            _touched.append(f"{event} in {frame.f_code.co_qualname}")
            return
        frame = frame.f_back
