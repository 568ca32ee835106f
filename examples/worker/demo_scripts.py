"""The calls that the example plays when no model key is set."""

from __future__ import annotations

from scripted import Caller, CallerLine, Reply, Script

STORY = (
    "Once upon a time there was a lighthouse keeper who counted the ships. Every evening she "
    "wrote their names into a book, and every morning the book was a little longer. One night a "
    "ship came in without any light, and nobody on board knew its name."
)
GREETING = Reply(to="greet the caller", text="Hello, Acme support here. How can I help you?")
GOODBYE = Reply(to="goodbye", text="Goodbye, have a nice day!")

WEATHER = Script(
    lines=(
        CallerLine(4.2, 5.6, "What is the weather in Paris?"),
        CallerLine(9.6, 10.6, "Please tell me a story."),
        CallerLine(14.4, 15.8, "Stop, thank you. Goodbye."),
    ),
    replies=(
        GREETING,
        GOODBYE,
        Reply(to="weather in paris", tool="get_weather", arguments={"city": "Paris"}),
        Reply(to="sunny", text="It is sunny in Paris, 21 degrees."),
        Reply(to="story", text=STORY),
    ),
    hang_up=19.0,
)

BILLING = Script(
    lines=(
        CallerLine(4.2, 5.8, "I have a question about my bill."),
        CallerLine(13.0, 14.2, "No, that is all. Goodbye."),
    ),
    replies=(
        GREETING,
        GOODBYE,
        Reply(to="about my bill", tool="transfer_to_billing"),
        Reply(to="transferred to billing", text="One moment, I put you through."),
        Reply(to="you take over", text="Billing here. Your last bill was 40 dollars."),
    ),
    hang_up=17.2,
)

FAREWELL = Script(
    lines=(CallerLine(4.2, 5.6, "No thanks, please hang up."),),
    replies=(GREETING, GOODBYE, Reply(to="hang up", tool="end_call")),
)

SCRIPTS = {"weather": WEATHER, "billing": BILLING, "farewell": FAREWELL}
"""The scripts of `agent.py`, by the name of the room; the first is the default."""

BOT_WEATHER = Script(
    lines=(
        CallerLine(4.2, 5.6, "What is the weather in Paris?"),
        CallerLine(10.8, 11.8, "Please tell me a story."),
        CallerLine(15.6, 17.0, "Stop, thank you. Goodbye."),
    ),
    replies=(
        GREETING,
        Reply(to="goodbye", text=GOODBYE.text, tool="end_call"),
        *WEATHER.replies[2:],
    ),
)

BOT_LONDON = Script(
    lines=(
        CallerLine(2.2, 3.6, "What is the weather in London?"),
        CallerLine(8.6, 9.6, "Lovely, farewell."),
    ),
    replies=(
        GREETING,
        Reply(to="weather in london", tool="get_weather", arguments={"city": "London"}),
        Reply(to="degrees in london", text="London has 21 degrees today."),
        Reply(to="farewell", text="Farewell, and take care!"),
    ),
    hang_up=13.0,
    caller=Caller(phone="+15550101"),
)

BOT_HOURS = Script(
    lines=(
        CallerLine(4.2, 5.6, "When are you open?"),
        CallerLine(9.6, 10.6, "Thanks, bye."),
    ),
    replies=(
        GREETING,
        Reply(to="open", text="From nine to five, on every day."),
        Reply(to="bye", text="Bye, see you soon."),
    ),
    hang_up=13.5,
    caller=Caller(phone="+15550102"),
)

BOT_SCRIPTS = {"weather": BOT_WEATHER, "london": BOT_LONDON, "hours": BOT_HOURS}
"""The scripts of `bot.py` and `server.py`, by name; the first is the default."""
