"""A text chat that ends up in Zelto, without any agent framework.

python text_chat.py
"""

from __future__ import annotations

import uuid

from zelto_agents import Zelto

ORDERS = {"1042": "shipped on Monday"}
VISITOR = ("Hi", "Where is my order 1042?", "Great, thank you!")


def order_status(number: str) -> str:
    """Look an order up, as a real bot would in its shop."""
    return ORDERS.get(number, "unknown")


def main() -> None:
    """Play one chat, print it, and record it as it goes."""
    zelto = Zelto()
    with zelto.call(f"chat-{uuid.uuid4()}", agent_id="support-chat", channel="text") as call:
        for message in VISITOR:
            print(f"visitor  {message}")
            call.turn("user", message)

            if "order" in message:
                number = message.split()[-1].strip("?")
                status = order_status(number)
                call.tool("order_status", {"number": number}, result=status)
                answer = f"Your order {number} was {status}."
            elif "thank" in message:
                answer = "You are welcome. Goodbye!"
            else:
                answer = "Hello! How can I help you?"

            print(f"bot      {answer}")
            call.turn("assistant", answer)
    zelto.close()


if __name__ == "__main__":
    main()
