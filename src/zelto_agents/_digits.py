"""Groups of digits in a text, and which of them stand together for a number."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from zelto_agents._frozen import frozen

__all__ = ["LATIN", "LONGEST", "Group", "ascii_digits", "stretches"]

LATIN = r"A-Za-z\u00c0-\u024f"
"""What makes digits that it touches a part of a word; in other scripts no space need be between."""

LONGEST = 19
"""Digits of a number."""

_GLUED = re.compile(rf"(?!x\d|ext)[{LATIN}]", re.IGNORECASE)
_GROUP = re.compile(r"\d+")


@frozen
class Group:
    """Digits without anything between, in ASCII, and where they are."""

    start: int
    end: int
    digits: str


def stretches(
    text: str,
    run: re.Match[str],
    shape: Callable[[Group], re.Pattern[str]],
    judge: Callable[[str, Sequence[Group]], bool],
    *,
    glued: bool = False,
) -> Iterator[tuple[Group, Group]]:
    """The first and the last group of each number in a run of digits; none overlaps another.

    Of several numbers that begin with one group, the one with most digits counts.

    Args:
        text: the whole text.
        run: the digits with what may be between them.
        shape: what the digits of a number that begins with this group look like, ``LONGEST`` at
            the most.
        judge: whether these digits, in these groups, are one.
        glued: whether the last group counts even where a letter follows it.
    """
    groups = [
        Group(found.start(), found.end(), ascii_digits(found.group()))
        for found in _GROUP.finditer(text, run.start(), run.end())
    ]
    if groups and not glued and _GLUED.match(text, groups[-1].end):
        groups.pop()
    digits = "".join(group.digits for group in groups)
    first = begin = 0
    while first < len(groups):
        looks, end = shape(groups[first]), begin
        ends: list[tuple[int, int]] = []
        for after, group in enumerate(itertools.islice(groups, first, None), first + 1):
            end += len(group.digits)
            if end - begin > LONGEST:
                break
            if looks.fullmatch(digits, begin, end):
                ends.append((after, end))
        for after, end in reversed(ends):
            if judge(digits[begin:end], groups[first:after]):
                yield groups[first], groups[after - 1]
                chosen = after
                break
        else:
            chosen, end = first + 1, begin + len(groups[first].digits)
        first, begin = chosen, end


def ascii_digits(digits: str) -> str:
    """Digits of any script, as 0 to 9."""
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)
