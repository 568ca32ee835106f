"""What a call of 50 frames a second takes of the processor, with the plugin or without it.

python pipecat_call.py [with]      a minute in real time; its settings come from the environment
python pipecat_call.py loop        pairs of short calls on a virtual clock, without and with

The JSON line of the former holds seconds: ``call_s`` of the whole process, from when the call has
settled until its end, and ``start_s`` from before its pipeline was made until then. Of the plugin's
own, ``handlers_s`` is what the event loop spends in its functions, and ``thread_s`` what the
delivery thread uses, both from when the call has settled. The latter's holds the percent of a core
that the thread of each loop took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from loguru import logger

if TYPE_CHECKING:  # the virtual clock comes before pipecat
    from scripted import Script

SECONDS = 66.0
# What happens once for a process, such as imports, is over by then.
SETTLED = 6.0
PERIOD = 10.0
SHORT = 12.0
PAIRS = 40


def script(seconds: float) -> Script:
    """A question and an answer every ten seconds."""
    from scripted import CallerLine, Reply, Script

    times = [1 + n * PERIOD for n in range(int(seconds // PERIOD))]
    lines = (CallerLine(at, at + 2, f"Question {n}, please.") for n, at in enumerate(times))
    answer = Reply(to="question", text="The answer to that is simple. Do ask me another one.")
    return Script(tuple(lines), (answer,), hang_up=seconds)


class Meter:
    """The processor's seconds so far, of everybody."""

    def __init__(self) -> None:
        self.inside = 0.0

    def timed(self, go_on: Callable[[], Any]) -> Any:
        """Count what a function of ours takes."""
        before = time.thread_time()
        try:
            return go_on()
        finally:
            self.inside += time.thread_time() - before

    def read(self) -> dict[str, float]:
        """All of it."""
        known = {"call_s": time.process_time(), "handlers_s": self.inside, "thread_s": 0.0}
        for thread in threading.enumerate():
            if thread.name == "zelto-delivery" and thread.ident is not None:
                known["thread_s"] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        return known


async def play(seconds: float, *, plugin: bool, connected: Callable[[], None]) -> None:
    """A whole call; ``connected`` is called when it begins."""
    from scripted.pipecat import ScriptedCall

    call = ScriptedCall(script(seconds), prompt="Be kind.")
    parts = call.processors
    if plugin:
        from pipecat_zelto import ZeltoProcessor

        parts.append(ZeltoProcessor(agent_id="cost"))

    async def begun(*_: object) -> None:
        connected()

    call.transport.add_event_handler("on_client_connected", begun)
    await call.run(call.worker(parts))


async def metered(meter: Meter, *, plugin: bool) -> None:
    """A minute, from when all is imported; prints the JSON line."""
    import scripted.pipecat  # noqa: F401 - a call does not import it

    if plugin:
        import pipecat_zelto  # noqa: F401 - the same
    before = time.process_time()
    seen: list[dict[str, float]] = []
    later = asyncio.get_running_loop().call_later

    def connected() -> None:
        for moment in (SETTLED, SECONDS):
            later(moment, lambda: seen.append(meter.read()))

    await play(SECONDS, plugin=plugin, connected=connected)
    settled, ended = seen
    figures = {name: ended[name] - settled[name] for name in ended}
    figures |= {"start_s": settled["call_s"] - before, "seconds": SECONDS - SETTLED}
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Play it without the plugin."""
    asyncio.run(metered(Meter(), plugin=False))


def main_with() -> None:
    """Play it with the plugin, and note the time that is spent in it."""
    from harming import functions_of, hurt, plugin_modules

    meter = Meter()
    ours = functions_of(*plugin_modules("pipecat_zelto"))
    wanted = ("_watch.PipelineWatch._on_", "_watch.PipelineWatch.f", "_collector.Collector.follow")
    entries = [function for name, function in ours.items() if name.startswith(wanted)]
    with hurt(entries, meter.timed):
        asyncio.run(metered(meter, plugin=True))


def main_loop() -> None:
    """Play short calls in pairs; every other pair begins with the other half."""
    import virtual_time

    def percent(*, plugin: bool) -> float:
        before = time.thread_time()
        virtual_time.run(lambda: play(SHORT, plugin=plugin, connected=lambda: None))
        return (time.thread_time() - before) / SHORT * 100

    pairs: list[list[float]] = []
    for number in range(PAIRS + 1):  # of which the first imports everything
        order = (False, True) if number % 2 else (True, False)
        halves = {plugin: percent(plugin=plugin) for plugin in order}
        pairs.append([halves[False], halves[True]])
    print(json.dumps(pairs[1:]), flush=True)


if __name__ == "__main__":
    logger.remove()
    modes = {"with": main_with, "loop": main_loop}
    modes.get(sys.argv[-1], main)()
