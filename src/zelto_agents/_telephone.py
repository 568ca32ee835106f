"""Where telephone numbers are in a text: found by their shape, judged by ``phonenumbers``.

Its own ``PhoneNumberMatcher`` alone would not do: it gives a text up after so many misses, takes
quadratic time for some, and does not part numbers that have only a space between them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher

from zelto_agents._digits import LATIN, Group, ascii_digits, stretches
from zelto_agents._frozen import frozen

__all__ = ["check", "spans"]

_DASHES = r"\u2010-\u2015\u2212\uff0d-"
_BETWEEN = (
    rf"(?:[ \t\u00a0\u00ad\u2000-\u200b\u202f\u2060\u3000./~()\[\]\uff08\uff09{_DASHES}]"
    r"|,(?=[ \t]))"
)
# Dates, UUIDs, IPv4 addresses and prices have digits enough to be one.
_OTHER = (
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?:19|20)\d\d-[01]\d-[0-3]\d(?![-\d])"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d++)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|[0-3]?\d(?P<dot>[/.-])[0-3]?\d(?P=dot)(?:19|20)\d\d(?!\d)"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?![.\d])"
    r"|[$\u20ac\u00a3\u00a5\u20b9] ?\d++(?:[.,]\d++)*+"
)
_RUN = re.compile(
    rf"(?<!\d)(?:(?<![{LATIN}])|(?=[+\uff0b]))(?:{_OTHER}"
    rf"|(?P<run>(?P<plus>[+\uff0b]{_BETWEEN}{{0,2}})?\d(?:{_BETWEEN}{{0,4}}\d){{6,}}+))"
)
_OPENING, _CLOSING = "([\uff08", ")]\uff09"
_ANY = re.compile(r"\d{7,15}")
# The number of somebody at the other end often comes without its plus.
_ALONE = re.compile(r"\s*(?:(?:tel|sips?):)?(\d{11,15})(?:@\S*)?\s*", re.IGNORECASE)
# So many digits in one behind a plus are a number, whatever is around them.
_TRUSTED = 8
# Without its prefix, and written in one, a shorter number may as well be anything.
_SURE = 10


def check(region: str) -> None:
    """See that there is such a region.

    Raises:
        ValueError: there is none.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{region!r} is not a region; expected two letters, such as US or GB")


def spans(text: str, region: str) -> Iterator[tuple[int, int]]:
    """Where each number begins and ends.

    Raises:
        ValueError: there is no such region.
    """
    check(region)
    found = False
    for run in _RUN.finditer(text):
        if run["run"] is not None:
            for first, last in _numbers(text, run, region):
                found = True
                yield _whole(text, run, first, last)
    alone = None if found else _ALONE.fullmatch(text)
    if alone is not None and _is_valid(f"+{ascii_digits(alone[1])}", region):
        yield alone.span(1)


def _numbers(text: str, run: re.Match[str], region: str) -> Iterator[tuple[Group, Group]]:
    rules = _rules(region)
    begin = run.end("plus") if run["plus"] else -1

    def shape(group: Group) -> re.Pattern[str]:
        return _ANY if group.start == begin else rules.shape

    def judge(digits: str, groups: Sequence[Group]) -> bool:
        if groups[0].start == begin:
            in_one = len(groups) == 1 and len(digits) >= _TRUSTED
            if in_one or _is_possible(f"+{digits}"):
                return True
        if not rules.shape.fullmatch(digits):
            return False
        parts = tuple(group.digits for group in groups)
        as_written = len(parts) > 1 and parts in _written(digits, region)
        if "," in text[groups[0].start : groups[-1].end]:
            said = all(len(part) == 1 for part in parts)
            return as_written or (said and _is_valid(digits, region))
        sure = len(digits) >= _SURE or bool(rules.prefixed.match(digits))
        if _is_valid(digits, region):
            return as_written or sure
        return as_written and sure  # such as 555-123-4567, which nobody has

    return stretches(text, run, shape, judge, glued=begin >= 0)


def _whole(text: str, run: re.Match[str], first: Group, last: Group) -> tuple[int, int]:
    """With its plus, and the parenthesis that it opens with."""
    start = first.start
    if run["plus"] and start == run.end("plus"):
        start = run.start("plus")
    before, within = text[start - 1 : start], text[start : last.end]
    opened = sum(map(within.count, _OPENING)) < sum(map(within.count, _CLOSING))
    return (start - 1 if before and before in _OPENING and opened else start), last.end


@frozen
class _Rules:
    """What numbers of a region look like, to spare most digits the library's judgement."""

    shape: re.Pattern[str]
    prefixed: re.Pattern[str]


@functools.cache
def _rules(region: str) -> _Rules:
    known = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert known is not None and known.general_desc is not None  # noqa: S101, PT018 - see `check`
    abroad = known.international_prefix or "00"
    before = "|".join(filter(None, (str(known.country_code), known.national_prefix_for_parsing)))
    national = known.general_desc.national_number_pattern
    return _Rules(
        re.compile(rf"(?:{abroad})\d{{7,15}}|(?:{before})?(?:{national})"),
        # Where no prefix is dialled, none can be missing.
        re.compile(rf"{abroad}|{before}" if known.national_prefix else ""),
    )


@functools.lru_cache(maxsize=4096)
def _is_valid(number: str, region: str) -> bool:
    matches = PhoneNumberMatcher(number, region, leniency=Leniency.VALID)
    return any(match.end - match.start == len(number) for match in matches)


@functools.lru_cache(maxsize=4096)
def _is_possible(number: str) -> bool:
    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return False


@functools.lru_cache(maxsize=4096)
def _written(number: str, region: str) -> set[tuple[str, ...]]:
    """How the library would group these digits."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return set()
    styles = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
    texts = (phonenumbers.format_number(parsed, style) for style in styles)
    return {tuple(re.findall(r"\d+", text)) for text in texts}
