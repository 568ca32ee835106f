"""What every text passes before anything is written: the call's own function, or the setting's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zelto_agents._trouble import Trouble
from zelto_agents.facts import FAILED, Fact, is_word, redacted, redacted_value
from zelto_agents.settings import Settings

__all__ = ["Redaction"]

Redact = Callable[[str], str]


class Redaction:
    """Belongs to the delivery thread, where it may take its time.

    Args:
        settings: what is to be found (``ZELTO_REDACT``).
        trouble: is told that a function failed, and not what it failed on.
    """

    def __init__(self, settings: Settings, trouble: Trouble) -> None:
        self._kinds = settings.redact
        self._trouble = trouble
        self._made: Redact | None = None

    def fact(self, fact: Fact, own: Redact | None) -> Fact:
        """The fact, passed through the call's own function or else the setting's."""
        redact = own or self._setting()
        return fact if redact is None else redacted(fact, self._told(redact))

    def changes(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """An enrichment's changes, passed through the setting's function.

        The recording's address and the cost stay, and so does a word of the vocabulary.
        """
        redact = self._setting()
        if redact is None:
            return changes
        told = self._told(redact)
        call = dict(changes.get("call", {}))
        for name in ("customer", "endedReason"):
            if name in call and not is_word(call[name]):
                call[name] = redacted_value(call[name], told)
        return {
            **changes,
            **({"call": call} if call else {}),
            **(
                {"metadata": redacted_value(changes["metadata"], told)}
                if "metadata" in changes
                else {}
            ),
        }

    def _setting(self) -> Redact | None:
        if self._made is None and self._kinds != ():
            self._made = _refuse if self._kinds is None else self._load(self._kinds)
        return self._made

    def _load(self, kinds: tuple[str, ...]) -> Redact:
        from zelto_agents.redaction import redactor

        try:
            return redactor(*kinds)
        except Exception as fault:  # noqa: BLE001 - nothing may pass, whatever is wrong
            self._trouble.problem(
                "redact", "ZELTO_REDACT cannot be done (%s): no text is sent", type(fault).__name__
            )
            return _refuse

    def _told(self, redact: Redact) -> Redact:
        def told(text: str) -> str:
            try:
                return redact(text)
            except Exception as fault:
                self._trouble.problem(
                    "redact",
                    "redact failed (%s): what it was given is sent as [redaction failed]",
                    type(fault).__name__,
                )
                raise

        return told


def _refuse(_: str) -> str:
    return FAILED
