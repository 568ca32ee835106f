"""Ready-made functions for ``redact=``: telephone numbers, e-mail addresses, payment cards.

Each looks for a shape, and asks a library whether it is one; where both leave a doubt, it is
taken for one. What is spelt in words ("four one five") is not found, but for e-mail addresses
("ada at example dot com"). Time is linear in the text. Needs the extra ``redact``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

from zelto_agents._digits import LATIN, Group, stretches

__all__ = ["card_numbers", "email_addresses", "kinds", "phone_numbers", "redactor"]

Redact = Callable[[str], str]

_LIBRARIES = {"phone": "phonenumbers", "card": "stdnum"}
# A number that is a card's is not a telephone's as well, and an address may hold numbers.
_ORDER = ("card", "email", "phone")

_DIGITS_ENOUGH = re.compile(r"(?:\D*+\d){7}")

_CARD_RUN = re.compile(rf"(?<![{LATIN}\d])\d(?:[\s.\u2010-\u2015-]{{0,3}}\d){{12,}}+")
# By length: Visa of old and Maestro, Diners, American Express and JCB, all others.
_CARD_SHAPE = re.compile(
    r"[456]\d{12}|3[0689]\d{12}|3[47]\d{13}|(?:2131|1800)\d{11}|[2-9]\d{15,18}"
)

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}+"
_DOMAIN = r"(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{0,62}"
_TYPED = re.compile(rf"{_LOCAL}[@\uff20](?:{_DOMAIN}|\[[\d.:a-fA-F]{{3,45}}\])")
_GAP = r"[ \t]{1,3}"
_WORD = r"[^\W_][\w+.-]{0,63}+"


def _word(name: str) -> str:
    """A word that stands for a character, as it is said or as it is hidden from robots."""
    return rf"(?:{_GAP}[(\[{{]?(?:{name})[)\]}}]?{_GAP})"


_DOT = _word("dot|punto|punkt|point")
_SAID = re.compile(
    rf"(?<![\w.+-]){_WORD}(?:(?:{_DOT}|{_word('underscore|dash|hyphen|minus|plus')}){_WORD}){{0,4}}"
    rf"{_word('at')}(?:{_DOMAIN}|{_WORD}(?:{_word('dash|hyphen|minus')}{_WORD}){{0,2}}"
    rf"(?:{_DOT}[^\W\d_]{{2,24}}){{1,3}}(?!\w))",
    re.IGNORECASE,
)


def phone_numbers(text: str, *, region: str = "US") -> str:
    """The text with every telephone number as ``[phone]``.

    International ones with their ``+`` are found whatever their country, others as they are
    written in ``region``, with any spaces, dashes, dots and parentheses. An order number that is a
    valid telephone number of the region is taken for one.

    Args:
        text: what was said or written.
        region: two letters, such as ``US`` or ``GB``.

    Raises:
        ModuleNotFoundError: the extra ``redact`` is not installed.
        ValueError: there is no such region.
    """
    if not _DIGITS_ENOUGH.match(text):
        return text  # without an import, in most conversations
    from zelto_agents._telephone import spans

    return _replaced(text, spans(text, region), "[phone]")


def email_addresses(text: str) -> str:
    """The text with every e-mail address as ``[email]``, typed or said ("ada at example dot com").

    No library is asked: one that is not quite valid is somebody's address all the same.
    """
    if "@" in text or "\uff20" in text:
        text = _TYPED.sub("[email]", text)
    return _SAID.sub("[email]", text)


def card_numbers(text: str) -> str:
    """The text with every payment card number as ``[card]``: 13 to 19 digits with Luhn's check.

    Raises:
        ModuleNotFoundError: the extra ``redact`` is not installed.
    """
    return _replaced(text, _cards(text), "[card]")


def redactor(*names: str, region: str = "US") -> Redact:
    """One function for all that these names stand for.

    Args:
        names: of ``phone``, ``email``, ``card``; ``phone:GB`` for another region.
        region: of numbers without a ``+``, where the name has none.

    Raises:
        ModuleNotFoundError: the extra ``redact`` is not installed.
        ValueError: a name or a region that is not known, or no name at all.
    """
    known = kinds(",".join(names), region=region)

    def redact(text: str) -> str:
        for kind in known:
            name, _, where = kind.partition(":")
            if name == "phone":
                text = phone_numbers(text, region=where)
            else:
                text = card_numbers(text) if name == "card" else email_addresses(text)
        return text

    return redact


def kinds(spec: str, *, region: str = "US") -> tuple[str, ...]:
    """What ``ZELTO_REDACT`` asks for: names with commas between, in the order of their use.

    Raises:
        ModuleNotFoundError: the extra ``redact`` is not installed.
        ValueError: a name or a region that is not known, or no name at all.
    """
    found: set[str] = set()
    for part in filter(None, (part.strip() for part in spec.split(","))):
        name, colon, where = part.partition(":")
        if name not in _ORDER or (colon and name != "phone"):
            raise ValueError(
                f"{part!r} is not known; expected names of phone, email, card with commas between; "
                "phone may name a region, as in phone:GB"
            )
        if name in _LIBRARIES and find_spec(_LIBRARIES[name]) is None:
            raise ModuleNotFoundError(
                f"{name} needs the extra redact: pip install 'zelto-agents[redact]'"
            )
        found.add(f"phone:{_known(where or region)}" if name == "phone" else name)
    if not found:
        raise ValueError("expected names of phone, email, card with commas between")
    return tuple(sorted(found, key=lambda kind: (_ORDER.index(kind.partition(":")[0]), kind)))


def _known(region: str) -> str:
    region = region.strip().upper()
    if region == "US":  # without an import, for most
        return region
    from zelto_agents._telephone import check

    check(region)
    return region


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for run in _CARD_RUN.finditer(text):
        for first, last in stretches(text, run, lambda _: _CARD_SHAPE, _is_card):
            yield first.start, last.end


def _is_card(digits: str, _: Sequence[Group]) -> bool:
    from stdnum import luhn

    return luhn.is_valid(digits)


def _replaced(text: str, spans: Iterator[tuple[int, int]], by: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (text[at:start], by)
        at = end
    return "".join([*parts, text[at:]]) if parts else text
