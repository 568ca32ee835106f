"""The ready-made functions for ``redact=``: what they take for personal, and what they leave."""

from __future__ import annotations

import random
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import luhn

from zelto_agents.redaction import card_numbers, email_addresses, kinds, phone_numbers, redactor

PHONES = {
    "call (415) 555-2671 now": "call [phone] now",
    "415-555-2671, or 415.555.2672": "[phone], or [phone]",
    "4155552671": "[phone]",
    "4 1 5 5 5 5 2 6 7 1": "[phone]",
    "it is 4, 1, 5, 5, 5, 5, 2, 6, 7, 1": "it is [phone]",
    "415 555 2671 415 555 2672": "[phone] [phone]",
    "+1 415 555 2671 50 dollars": "[phone] 50 dollars",
    "(+44) 20 7946 0958 is London": "[phone] is London",
    "+44 (0)20 7946 0958": "[phone]",
    "011 44 20 7946 0958": "[phone]",
    "1-415-555-2671": "[phone]",
    "651-234-2345/332-445-1234": "[phone]/[phone]",
    "(415-555-2671)": "([phone])",
    "415\u2013555\u20132671": "[phone]",
    "415\u200b555\u00a02671": "[phone]",
    "415-555-2671x12": "[phone]x12",
    "\uff14\uff11\uff15\uff15\uff15\uff15\uff12\uff16\uff17\uff11": "[phone]",
    "\u0664\u0661\u0665\u0665\u0665\u0665\u0662\u0666\u0667\u0661": "[phone]",
    "\u7535\u8bdd4155552671\u53f7": "\u7535\u8bdd[phone]\u53f7",
    "+1 555 0100": "[phone]",  # nobody has these, but everybody tries them
    "555-123-4567": "[phone]",
    "sip:+442079460958@pbx.example": "sip:[phone]@pbx.example",
    "442079460958": "[phone]",  # alone, it is a caller's
    "call-_+15105550100_FZ7abc": "call-_[phone]_FZ7abc",  # LiveKit's names of rooms
    "room_+15105550100_8f3": "room_[phone]_8f3",
    "call_4155552671_8f3": "call_[phone]_8f3",
    "+15105550100FZ7abc": "[phone]FZ7abc",
    "+1 415 555 2671abc": "[phone]abc",
    "+99912345678x": "[phone]x",  # of no country, but who would write it so
    "caller+442079460958": "caller[phone]",
}
NO_PHONES = [
    "order 482915",
    "ORD-20261125-0042",
    "order 1234567890",
    "#100482",
    "on 2026-11-25 09:00",
    "2026-11-25T09:00:00.123456+00:00",
    "20261125T090000Z",
    "25.11.2026 10",
    "3/10/2011 12 30",
    "at 10:30:45",
    "between 1990-2010 and 2011",
    "$4155552671",
    "\u20ac1.234.567,89",
    "192.168.100.200",
    "203.200.30.40",
    "550e8400-e29b-41d4-a716-446655440000",
    "deadbeef4155552671",
    "AJ_4155552671ab",
    "room_20261125_090000",
    "id_550e8400-e29b-41d4-a716-446655440000_1",
    "c++ 11, 14 and 17",
    "1764061226",
    "room 415, floor 5, seat 26",
    "37.7749295",
    "one two three",
]
ADDRESSES = {
    "I am ada@example.com.": "I am [email].",
    "<ada.l+x@ex-ample.co.uk>,bob@example.org": "<[email]>,[email]",
    "\u00e4da@ex\u00e4mple.de": "[email]",
    "ada\uff20example.com": "[email]",
    "ada@[192.168.0.1]": "[email]",
    "it is ada dot lovelace at example dot com": "it is [email]",
    "ada underscore l at my dash example dot co dot uk": "[email]",
    "Ada At Example Dot Com": "[email]",
    "ada (at) example [dot] com": "[email]",
    "ada at example.com": "[email]",
    "https://ada:secret@host.example/x": "https://ada:[email]/x",
}
NO_ADDRESSES = ["lodash@4.17.21", "@ada", "a@b", "meet at noon", "5 @ 3 dollars", "dot com"]
CARDS = {
    "4111 1111 1111 1111": "[card]",
    "4111-1111-1111-1111, then 5555555555554444": "[card], then [card]",
    "4111 1111 1111 1111 4012 8888 8888 1881": "[card] [card]",
    "3782 822463 10005 is American": "[card] is American",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1": "[card]",
    "4111.1111.1111.1111.": "[card].",
    "card_4111111111111111_9": "card_[card]_9",
    "\u0664" + "\u0661" * 15: "[card]",
}
NO_CARDS = [
    "4111 1111 1111 1112",
    "1764061226000",
    "20261125090000",
    "550e8400-e29b-41d4-a716-446655440000",
    "a4111111111111111",
    "0000 0000 0000 0000",
    "4111",
]


@pytest.mark.parametrize("text", PHONES)
def test_telephone_numbers_are_found_however_they_are_written(text: str):
    assert phone_numbers(text) == PHONES[text]


@pytest.mark.parametrize("text", NO_PHONES)
def test_what_only_looks_like_a_telephone_number_stays(text: str):
    assert phone_numbers(text) == text


@pytest.mark.parametrize(
    ("region", "text"),
    [
        ("GB", "07700 900123"),
        ("DE", "0176 12345678"),
        ("ES", "612345678"),
        ("FR", "06 12 34 56 78"),
        ("IN", "98765 43210"),
        ("JP", "090-1234-5678"),
    ],
)
def test_a_number_is_read_as_its_region_writes_it(region: str, text: str):
    assert phone_numbers(text, region=region) == "[phone]"
    assert phone_numbers("order 482915", region=region) == "order 482915"


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_are_found_typed_and_said(text: str):
    assert email_addresses(text) == ADDRESSES[text]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_only_looks_like_an_address_stays(text: str):
    assert email_addresses(text) == text


@pytest.mark.parametrize("text", CARDS)
def test_cards_are_found_by_their_check_digit(text: str):
    assert card_numbers(text) == CARDS[text]


@pytest.mark.parametrize("text", NO_CARDS)
def test_what_only_looks_like_a_card_stays(text: str):
    assert card_numbers(text) == text


def test_one_function_finds_all_kinds_and_a_card_is_no_telephone():
    redact = redactor("phone", "email", "card")
    said = "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1, 415 555 2671 or 4155552671@example.com"
    assert redact(said) == "[card], [phone] or [email]"
    assert redact(redact(said)) == redact(said)
    assert redactor("phone:GB", "phone")("07700 900123 or 415 555 2671") == "[phone] or [phone]"
    assert redactor("phone", region="GB")("07700 900123") == "[phone]"


def test_names_are_put_in_order_and_unknown_ones_say_what_is_allowed():
    assert kinds(" phone:gb, card,email,card ") == ("card", "email", "phone:GB")
    with pytest.raises(ValueError, match="'phnoe' is not known; expected names of phone, email"):
        kinds("email,phnoe")
    with pytest.raises(ValueError, match="'email:GB' is not known"):
        kinds("email:GB")
    with pytest.raises(ValueError, match="'XX' is not a region"):
        kinds("phone:xx")
    with pytest.raises(ValueError, match="expected names of"):
        redactor()


def test_the_libraries_are_loaded_when_they_are_needed():
    code = (
        "import sys; from zelto_agents.redaction import redactor, phone_numbers;"
        "redact = redactor('phone', 'card', 'email'); redact('nothing here');"
        "print(*sorted({'phonenumbers', 'stdnum'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def shown(number: phonenumbers.PhoneNumber, style: int) -> str:
    return phonenumbers.format_number(number, style)


@given(
    region=st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    style=st.sampled_from([phonenumbers.PhoneNumberFormat.E164, 1]),
    before=st.sampled_from(["", "call ", "it's: ", "\u7535\u8bdd"]),
)
def test_the_example_number_of_every_country_is_found_with_its_plus(
    region: str, style: int, before: str
):
    number = phonenumbers.example_number(region)
    assert number is not None
    assert phone_numbers(f"{before}{shown(number, style)}.") == f"{before}[phone]."


@given(st.integers(2 * 10**14, 10**15 - 1), st.sampled_from([" ", "-", "", "."]))
def test_any_sixteen_digits_with_their_check_digit_are_a_card(digits: int, between: str):
    number = str(digits) + luhn.calc_check_digit(str(digits))
    parts = between.join(number[i : i + 4] for i in range(0, 16, 4))
    assert card_numbers(f"it is {parts}") == "it is [card]"


REDACT = redactor("phone", "email", "card", region="DE")


@given(st.text(alphabet="0123456789+-. ()@a\u0661,/$d\n"))
@example("+" * 50)
def test_no_text_breaks_them_and_what_is_kept_is_kept_in_order(text: str):
    kept = iter(text)
    changed = REDACT(text)
    for part in ("[phone]", "[email]", "[card]"):
        changed = changed.replace(part, "")
    assert all(character in kept for character in changed)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 1_000_000,
        "+" * 1_000_000,
        "(" * 1_000_000,
        "a" * 1_000_000,
        "a@" * 500_000,
        "@a.a" * 250_000,
        "a at " * 200_000,
        "a dot " * 160_000,
        "1a" * 500_000,
        "2026-11-25 09:00 " * 60_000,
        "2026-11-25T09:00:00." + "1" * 1_000_000 + "-",
        "$1." * 330_000,
        "-" * 1_000_000,
        "the quick brown fox 12 " * 45_000,
        "".join(random.Random(1).choices("0123456789ab", k=1_000_000)),
    ],
    ids=lambda text: text[:12],
)
def test_a_megabyte_of_anything_takes_a_moment(text: str):
    # If the time were quadratic in the text, this would take hours.
    assert len(REDACT(text)) <= len(text)
