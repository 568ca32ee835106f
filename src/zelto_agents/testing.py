"""For your own tests: a receiver as a fixture, with faults, and waiting without sleeps.

A pytest plugin that nobody gets unasked: ``pytest_plugins = ["zelto_agents.testing"]`` in your
``conftest.py``. It needs the extra ``receiver``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zelto_agents._delivery import Delivery
from zelto_agents.client import Zelto
from zelto_agents.receiver import RunningReceiver
from zelto_agents.settings import VARIABLES

__all__ = ["ZeltoReceiver", "deliveries_ended", "zelto_receiver"]


class ZeltoReceiver(RunningReceiver):
    """A receiver for one test; ``faults.add("503 x2")`` lets its next uploads fail."""

    def wait_for_call(self, external_id: str, timeout: float = 10.0) -> dict[str, Any]:
        """Waits until a call has arrived, and returns its conversation, whole.

        Args:
            external_id: its ``call.externalId``.
            timeout: seconds.

        Raises:
            TimeoutError: it did not arrive in time; the text says what did.
        """
        try:
            return self.wait_for(external_id, timeout)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; {self._arrived()}") from None

    def _arrived(self) -> str:
        lines = [
            f"{each['externalId'] or 'unnamed'} ({each['state']}"
            + (f": {each['reason']})" if each["reason"] else ")")
            for each in self.deliveries()
        ]
        lines += [
            f"{each.external_id or 'unnamed'} (fault {each.fault})"
            for each in reversed(self.faults.attempts())
        ]
        return f"what came: {'; '.join(lines)}" if lines else "nothing came at all"


@contextlib.contextmanager
def deliveries_ended() -> Iterator[None]:
    """Ends, with the ``with`` block, the delivery threads that were started within it."""
    before = set(Delivery._running)  # noqa: SLF001 - one package
    try:
        yield
    finally:
        for delivery in set(Delivery._running) - before:  # noqa: SLF001
            delivery.close(0.0)


@pytest.fixture
def zelto_receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ZeltoReceiver]:
    """A receiver of the test's own, to which the environment points.

    ``ZELTO_BASE_URL``, ``ZELTO_API_KEY`` and ``ZELTO_OUTBOX`` are set, all other variables of ours
    unset, and ``Zelto.shared()`` begins anew.
    """
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setattr(Zelto, "_shared", None)
    with ZeltoReceiver() as receiver, deliveries_ended():
        monkeypatch.setenv("ZELTO_BASE_URL", receiver.url)
        monkeypatch.setenv("ZELTO_API_KEY", receiver.key or "")
        monkeypatch.setenv("ZELTO_OUTBOX", str(tmp_path / "zelto-outbox"))
        yield receiver
