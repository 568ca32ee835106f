"""The caller and the models that `bot.py` plays with when no key is set."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Awaitable, Callable

from loguru import logger
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.types import CallData, RunnerArguments
from pipecat.transports.base_transport import BaseTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from demo_scripts import BOT_SCRIPTS
from scripted import Script
from scripted.pipecat import (
    ScriptedLLM,
    ScriptedTransport,
    ScriptedTTS,
    ScriptedVAD,
    TelephoneSTT,
)

KEYS = ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY")


def wanted() -> bool:
    """Whether there is no key of any model.

    Raises:
        SystemExit: Some keys are set, and others are not.
    """
    missing = [key for key in KEYS if not os.environ.get(key)]
    if missing and len(missing) < len(KEYS):
        raise SystemExit(f"Real models need all of their keys; not set: {', '.join(missing)}")
    return bool(missing)


def services(
    runner_args: RunnerArguments, prompt: str
) -> tuple[FrameProcessor, FrameProcessor, FrameProcessor, LLMUserAggregatorParams]:
    """Return what hears, thinks and speaks in this call, and how turns are told apart.

    Args:
        runner_args: What is known of the call. Its parameter `script` picks the script.
        prompt: The model's system prompt.
    """
    script = _script(runner_args)
    turns = LLMUserAggregatorParams(
        vad_analyzer=ScriptedVAD(),
        user_turn_strategies=UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()]),
    )
    return TelephoneSTT(script), ScriptedLLM(script, prompt=prompt), ScriptedTTS(words=True), turns


def _script(runner_args: RunnerArguments) -> Script:
    call = runner_args.call_data
    return BOT_SCRIPTS.get(str(call.body.get("script")) if call else "", BOT_SCRIPTS["weather"])


async def play(
    run_bot: Callable[[BaseTransport, RunnerArguments], Awaitable[None]], name: str = "weather"
) -> None:
    """Let a scripted caller phone the bot.

    Args:
        run_bot: Answers the call.
        name: The script of the call.

    Raises:
        SystemExit: There is no such script.
    """
    if name not in BOT_SCRIPTS:
        raise SystemExit(f"Without keys there are only scripted calls: {', '.join(BOT_SCRIPTS)}")
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("LOGURU_LEVEL", "ERROR").upper())
    script = BOT_SCRIPTS[name]
    caller = script.caller
    known = {
        "call_id": f"CA{uuid.uuid4().hex}",
        "from": caller.phone,
        "to": caller.trunk,
        "body": {"script": name},
    }
    runner_args = RunnerArguments(call_data=CallData.model_validate(known))
    runner_args.handle_sigint = runner_args.handle_sigterm = True
    print(f"a scripted call begins: {known['call_id']}", flush=True)
    await run_bot(ScriptedTransport(script), runner_args)
