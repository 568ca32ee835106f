"""The webhook bodies of other providers, read as the conversations that they tell of."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue

from zelto_agents.contract import CallIngest
from zelto_agents.receiver.native import retell, vapi
from zelto_agents.receiver.native._reading import NativeFaultError

__all__ = ["READERS", "NativeFaultError"]

# By X-Zelto-Provider. Each gives the conversation, or says why the body is acknowledged and
# nothing more; it raises NativeFaultError for a body that is not the provider's.
READERS: dict[str, Callable[[JsonValue], CallIngest | str]] = {
    "vapi": vapi.read,
    "retell": retell.read,
}
