"""A voice agent on LiveKit whose every call ends up in Zelto.

    python agent.py dev        # with a LiveKit server and the keys of the models
    python run_job.py          # with nothing at all: a scripted call, without a server

Which models speak is decided by the keys in the environment; see `.env.example`.
"""

from __future__ import annotations

import asyncio

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli, function_tool
from livekit.agents.beta.tools import EndCallTool
from livekit.plugins import zelto

import models

# Calls may last ten minutes after SIGTERM; "In production" in README.md has the sums.
server = AgentServer(drain_timeout=600, shutdown_process_timeout=30)
zelto.install(server)


class Support(Agent):
    """Greets the caller, knows the weather, and hands questions about bills to `Billing`."""

    def __init__(self) -> None:
        super().__init__(
            instructions=(
                "You are the support agent of Acme. You speak on the telephone: answer in one or "
                "two short sentences, without markup. Look the weather up, never guess it."
            ),
            tools=[EndCallTool()],
        )

    async def on_enter(self) -> None:
        """Speak first."""
        self.session.generate_reply(instructions="Greet the caller and offer help.")

    @function_tool
    async def get_weather(self, city: str) -> str:
        """Look up the weather of today.

        Args:
            city: The name of the city.
        """
        await asyncio.sleep(0.5)  # as long as a real service would take
        return f"sunny, 21 degrees in {city}"

    @function_tool
    async def transfer_to_billing(self) -> tuple[Agent, str]:
        """Hand the caller over to billing, for any question about a bill."""
        return Billing(), "transferred to billing"


class Billing(Agent):
    """Answers questions about bills."""

    def __init__(self) -> None:
        super().__init__(
            instructions=(
                "You are the billing agent of Acme. The last bill of every caller was 40 dollars."
            ),
            tools=[EndCallTool()],
        )

    async def on_enter(self) -> None:
        """Take over without a second greeting."""
        self.session.generate_reply(instructions="You take over: say what the last bill was.")


@server.rtc_session(agent_name="support")
async def entrypoint(ctx: JobContext) -> None:
    """Answer one call."""
    call = models.scripted_call(ctx)  # None as soon as there are keys
    session: AgentSession[None] = AgentSession(**models.session_kwargs(call))
    zelto.attach(session, agent_id="support")

    if call is not None:
        call.connect(session)
    await session.start(agent=Support(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
