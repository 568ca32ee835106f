"""The guard: nothing of ours reaches the host, whatever goes wrong inside."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

__all__ = ["guarded", "mapping"]

logger = logging.getLogger("zelto_agents")

_P = ParamSpec("_P")
_R = TypeVar("_R")
_said: set[str] = set()
_EXAMPLES = {"customer": "{'number': '+15550100'}", "metadata": "{'tenant': 'acme'}"}


def guarded(function: Callable[_P, _R]) -> Callable[_P, _R | None]:
    """The function with every ``Exception`` swallowed and named once; None comes back then.

    Cancellation and ``KeyboardInterrupt`` pass. LiveKit's event emitter re-raises ``TypeError``
    into the call itself, so that one matters most.
    """

    @functools.wraps(function)
    def inner(*args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return function(*args, **kwargs)
        except Exception as fault:  # noqa: BLE001 - this is the guard
            name = function.__qualname__
            if name not in _said:
                _said.add(name)
                # The type alone: a text or traceback may quote what was said.
                logger.error(
                    "%s failed inside zelto-agents (%s); the agent is not affected",
                    name,
                    type(fault).__name__,
                )
            return None

    # LiveKit asks for it with every event, and would find it anew each time.
    inner.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return inner


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """An argument that is to be a mapping; an empty one, and an error in the log, if it is none.

    Args:
        name: ``customer`` or ``metadata``.
        value: what was given; None is nothing.
    """
    if value is None or isinstance(value, Mapping):
        return value or {}
    # Its type alone: it may be a name or a number.
    logger.error(
        "%s must be a mapping such as %s, not %s: left out",
        name,
        _EXAMPLES[name],
        type(value).__name__,
    )
    return {}
