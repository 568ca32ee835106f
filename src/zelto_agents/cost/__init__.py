"""What a call cost, from its usage: every part priced, or named with why it is not.

Language models are priced with ``genai-prices`` (extra ``cost``), speech and telephony from
``prices.json``, where each price has its source and the day it was read; prices of the user's own
beat both. Amounts are decimals in US dollars. Nothing here touches the network.
"""

from zelto_agents.cost._document import priced
from zelto_agents.cost._pricing import Cost, Line, price
from zelto_agents.cost._telephony import Telephony
from zelto_agents.cost._yours import OwnPrices, Prices

__all__ = ["Cost", "Line", "OwnPrices", "Prices", "Telephony", "price", "priced"]
