"""What a check is, how it is registered, and what comes of running one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__ = ["Check", "Differs", "Outcome", "Skipped", "all_checks", "check", "expect", "run"]

State = Literal["passes", "fails", "differs", "skipped"]


class Differs(Exception):  # noqa: N818 - it is a finding, not an error
    """The API does something else than the contract says; the text says what was seen."""


class Skipped(Exception):  # noqa: N818 - the same
    """The check cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One statement of the contract, and how it is seen from outside.

    Attributes:
        number: section and place, such as ``1.2``.
        title: what has to be so.
        quote: where the contract says so.
        assumed: whether Zelto's guide does not state it, and the contract assumes it.
        run: raises ``Differs`` or ``Skipped``, or returns.
    """

    number: str
    title: str
    quote: str
    assumed: bool
    run: Callable[[Target], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check; ``text`` is what was seen instead, or why it was skipped."""

    check: Check
    state: State
    text: str = ""


_CHECKS: list[Check] = []


def check(
    number: str, title: str, *, quote: str, assumed: bool = False
) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    """Registers the decorated function as a check; its number says when it runs."""

    def register(function: Callable[[Target], None]) -> Callable[[Target], None]:
        _CHECKS.append(Check(number, title, quote, assumed, function))
        return function

    return register


def expect(seen: object, wanted: object, what: str) -> None:
    """Raises ``Differs`` unless both are equal."""
    if seen != wanted:
        raise Differs(f"{what}: expected {wanted!r}, saw {seen!r}")


def all_checks() -> list[Check]:
    """Every check, in the order of the numbers."""
    from zelto_agents.verify import afterwards, answers, fields, natives, reading

    del afterwards, answers, fields, natives, reading  # imported for what they register
    return sorted(_CHECKS, key=lambda each: [int(part) for part in each.number.split(".")])


def run(target: Target) -> Iterator[Outcome]:
    """Runs all checks against one API, each outcome as soon as it is known."""
    for one in all_checks():
        yield _outcome(one, target)


def _outcome(one: Check, target: Target) -> Outcome:
    import httpx

    bad: State = "differs" if one.assumed and target.real else "fails"
    try:
        one.run(target)
    except Skipped as why:
        return Outcome(one, "skipped", str(why))
    except Differs as seen:
        return Outcome(one, bad, str(seen))
    except httpx.TransportError as fault:
        return Outcome(one, "fails", f"no answer: {type(fault).__name__}: {fault}")
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        text = f"an answer has another shape: {type(fault).__name__}: {fault}"
        return Outcome(one, bad, text)
    return Outcome(one, "passes")
