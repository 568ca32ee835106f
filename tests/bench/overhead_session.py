"""A call of 200 turns on a virtual clock; prints the processor's seconds that it took, all threads.

python overhead_session.py [with]      # the plugin's settings come from the environment
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

import virtual_time  # livekit-agents keeps a reference to the clock

# isort: split
from livekit.agents import Agent, AgentSession

from scripted import CallerLine, Reply, Script, ScriptedCall

TURNS = 200
# Seconds from one of the caller's turns to the next.
PERIOD = 5.0
SCRIPT = Script(
    lines=tuple(
        CallerLine(1 + n * PERIOD, 2 + n * PERIOD, f"Question {n}, please.")
        for n in range(TURNS // 2)
    ),
    replies=(Reply(to="question", text="The answer to that is simple."),),
    hang_up=TURNS / 2 * PERIOD + 2,
)


async def play(*, plugin: bool) -> int:
    """The whole call; how many turns it had."""
    call = ScriptedCall(SCRIPT)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    if plugin:
        from livekit.plugins import zelto

        zelto.attach(session, agent_id="overhead")
    call.connect(session)
    await session.start(agent=Agent(instructions="Be kind."), room=call.room)
    await call.ended()
    return len(session.history.messages())


def main(*, plugin: bool) -> None:
    """Print one JSON line."""
    if plugin:
        pass
    before = time.process_time()
    turns = virtual_time.run(lambda: play(plugin=plugin))
    if plugin:
        from zelto_agents import Zelto

        Zelto.shared().close()
    print(json.dumps({"cpu_s": time.process_time() - before, "turns": turns}), flush=True)


if __name__ == "__main__":
    main(plugin="with" in sys.argv)
