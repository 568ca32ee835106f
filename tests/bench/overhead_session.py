"""A call of 200 turns; prints the processor's seconds that it took.

python overhead_session.py [with] [real]    # the plugin's settings come from the environment

On a virtual clock a call of 500 s takes a few; with ``real`` time is real.

``cpu_s`` is of the whole process. The plugin's own part of it is that of its listeners, and what
all threads but the one that the session runs on take more than without it. The extras are not
installed here, as they are not with the plugin alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

import virtual_time  # livekit-agents keeps a reference to the clock

# isort: split
from livekit.agents import Agent, AgentSession

from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall

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


def run_call(*, plugin: bool) -> int:
    """Play it on the clock that was asked for."""
    sys.modules["genai_prices"] = None  # type: ignore[assignment] # the extra ``cost``
    if "real" in sys.argv:
        return asyncio.run(play(plugin=plugin))
    return virtual_time.run(lambda: play(plugin=plugin))


def main() -> None:
    """Play it without the plugin."""
    whole, here = time.process_time(), time.thread_time()
    turns = run_call(plugin=False)
    here = time.thread_time() - here
    whole = time.process_time() - whole
    tell(whole, turns, threads=whole - here)


def main_with() -> None:
    """Play it with the plugin, and note the time that is spent in it."""
    from harming import functions_of, hurt, plugin_modules
    from zelto_agents import Zelto

    inside = [0.0]

    def timed(go_on: Callable[[], Any]) -> Any:
        before = time.thread_time()
        try:
            return go_on()
        finally:
            inside[0] += time.thread_time() - before

    ours = functions_of(*plugin_modules())
    entries = [one for name, one in ours.items() if "._on_" in name or name == "_attach.attach"]
    whole, here = time.process_time(), time.thread_time()
    with hurt(entries, timed):
        turns = run_call(plugin=True)
    here = time.thread_time() - here
    Zelto.shared().close()
    whole = time.process_time() - whole
    tell(whole, turns, listeners=inside[0], threads=whole - here)


def tell(cpu: float, turns: int, *, listeners: float = 0.0, threads: float = 0.0) -> None:
    """Print one JSON line."""
    figures = {"cpu_s": cpu, "turns": turns, "listeners_s": listeners, "threads_s": threads}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main_with() if "with" in sys.argv else main()
