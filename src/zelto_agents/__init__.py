"""Push every finished voice or chat conversation to Zelto: one line, and none is lost."""

from zelto_agents._one import adeliver, deliver
from zelto_agents.call import Call
from zelto_agents.client import Zelto
from zelto_agents.contract import CallIngest
from zelto_agents.settings import Settings

__version__ = "0.1.0"
__all__ = ["Call", "CallIngest", "Settings", "Zelto", "__version__", "adeliver", "deliver"]
