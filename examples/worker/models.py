"""The models of the agent: real ones when their keys are set, scripted ones when none is.

Imported with the worker, not with the call: plugins of LiveKit register on the main thread, and
a missing key or package is said before anyone calls.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from livekit.agents import JobContext

from demo_scripts import SCRIPTS, WEATHER
from scripted.livekit import ScriptedCall

KEYS = {
    "openai": "OPENAI_API_KEY",
    "deepgram": "DEEPGRAM_API_KEY",
    "cartesia": "CARTESIA_API_KEY",
}
"""The plugin, and the variable that holds its key."""


def _plugins() -> dict[str, Any]:
    missing = [key for key in KEYS.values() if not os.environ.get(key)]
    if len(missing) == len(KEYS):
        return {}
    if missing:
        raise SystemExit(f"Real models need all of their keys; not set: {', '.join(missing)}")
    try:
        return {
            name: importlib.import_module(f"livekit.plugins.{name}") for name in [*KEYS, "silero"]
        }
    except ImportError as error:
        raise SystemExit(f"{error}. Install the models: see README.md") from error


PLUGINS = _plugins()


def scripted_call(ctx: JobContext) -> ScriptedCall | None:
    """Return a scripted caller for this job, or None when there are real models.

    The name of the room picks the script.
    """
    return None if PLUGINS else ScriptedCall(SCRIPTS.get(ctx.job.room.name, WEATHER), ctx)


def session_kwargs(call: ScriptedCall | None) -> dict[str, Any]:
    """Return the models, as `AgentSession` takes them."""
    if call is not None:
        return call.session_kwargs()
    return {
        "stt": PLUGINS["deepgram"].STT(model="nova-3"),
        "llm": PLUGINS["openai"].LLM(model="gpt-4.1-mini"),
        "tts": PLUGINS["cartesia"].TTS(model="sonic-2"),
        "vad": PLUGINS["silero"].VAD.load(),
    }
