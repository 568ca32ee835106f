"""A voice bot on Pipecat whose every call ends up in Zelto.

    python bot.py -t webrtc    # with the keys of the models: talk to it in the browser
    python bot.py              # with nothing at all: a scripted call, to its end

Which models speak is decided by the keys in the environment; see `.env.example`.
"""

from __future__ import annotations

import asyncio
import os
import sys

from pipecat.frames.frames import EndWorkerFrame, FunctionCallResultProperties, LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.llm_service import FunctionCallParams
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams
from pipecat.workers.runner import WorkerRunner

import scripted_bot  # only for calls without keys: a bot of your own does without
from pipecat_zelto import ZeltoProcessor

PROMPT = (
    "You are the support agent of Acme. You speak on the telephone: answer in one or two short "
    "sentences, without markup. Look the weather up, never guess it. When the caller says "
    "goodbye, say goodbye and end the call."
)


def webrtc() -> TransportParams:
    """Return what a call from the browser needs."""
    return TransportParams(audio_in_enabled=True, audio_out_enabled=True)


def telephony() -> FastAPIWebsocketParams:
    """Return what a call from the telephone needs; Pipecat adds the serializer."""
    return FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True)


transport_params = {
    "webrtc": webrtc,
    "twilio": telephony,
    "telnyx": telephony,
    "plivo": telephony,
    "exotel": telephony,
}


async def get_weather(params: FunctionCallParams, city: str) -> None:
    """Look up the weather of today.

    Args:
        params: What Pipecat knows of this request.
        city: The name of the city.
    """
    await asyncio.sleep(0.5)  # as long as a real service would take
    await params.result_callback(f"sunny, 21 degrees in {city}")


async def end_call(params: FunctionCallParams) -> None:
    """End the call, when the caller has said goodbye.

    Args:
        params: What Pipecat knows of this request.
    """
    nothing_more = FunctionCallResultProperties(run_llm=False)
    await params.result_callback("the call ends", properties=nothing_more)
    await params.llm.push_frame(EndWorkerFrame())  # goes behind what is still to be spoken


def services(
    runner_args: RunnerArguments,
) -> tuple[FrameProcessor, FrameProcessor, FrameProcessor, LLMUserAggregatorParams]:
    """Return what hears, thinks and speaks, and how turns are told apart."""
    if scripted_bot.wanted():
        return scripted_bot.services(runner_args, PROMPT)

    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.services.cartesia.tts import CartesiaTTSService
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from pipecat.services.openai.llm import OpenAILLMService

    return (
        DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
        OpenAILLMService(
            api_key=os.environ["OPENAI_API_KEY"],
            settings=OpenAILLMService.Settings(model="gpt-4.1-mini", system_instruction=PROMPT),
        ),
        CartesiaTTSService(
            api_key=os.environ["CARTESIA_API_KEY"],
            settings=CartesiaTTSService.Settings(voice="71a7ad14-091c-4e8e-a314-022ece01c121"),
        ),
        LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )


def make_worker(
    transport: BaseTransport, runner_args: RunnerArguments, params: PipelineParams | None = None
) -> PipelineWorker:
    """Return the bot of one call, ready to run."""
    stt, llm, tts, turns = services(runner_args)
    context = LLMContext(tools=[get_weather, end_call])
    user, assistant = LLMContextAggregatorPair(context, user_params=turns)

    pipeline = Pipeline(
        [
            transport.input(),
            stt,
            user,
            llm,
            tts,
            transport.output(),
            assistant,
            ZeltoProcessor(runner_args, transport=transport, agent_id="support"),
        ]
    )
    worker = PipelineWorker(
        pipeline, params=params, idle_timeout_secs=runner_args.pipeline_idle_timeout_secs
    )

    async def greet(transport: BaseTransport, client: object) -> None:
        context.add_message({"role": "developer", "content": "Greet the caller and offer help."})
        await worker.queue_frames([LLMRunFrame()])

    async def hung_up(transport: BaseTransport, client: object) -> None:
        await worker.cancel()

    transport.add_event_handler("on_client_connected", greet)
    transport.add_event_handler("on_client_disconnected", hung_up)
    return worker


async def run_worker(worker: PipelineWorker, runner_args: RunnerArguments) -> None:
    """Run one call to its end."""
    runner = WorkerRunner(
        handle_sigint=runner_args.handle_sigint, handle_sigterm=runner_args.handle_sigterm
    )
    await runner.add_workers(worker)
    await runner.run()


async def run_bot(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    """Answer one call."""
    await run_worker(make_worker(transport, runner_args), runner_args)


async def bot(runner_args: RunnerArguments) -> None:
    """Answer one call; Pipecat's runner and Pipecat Cloud look for this name."""
    await run_bot(await create_transport(runner_args, transport_params), runner_args)


if __name__ == "__main__":
    if scripted_bot.wanted():
        asyncio.run(scripted_bot.play(run_bot, *sys.argv[1:2]))
    else:
        from pipecat.runner.run import main

        main()
