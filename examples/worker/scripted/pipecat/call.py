"""A whole Pipecat bot that follows a script, and what was really said to it and by it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from scripted.script import Script, Spoken

from .answering import ScriptedLLM, ScriptedTTS
from .hearing import ScriptedSTT, ScriptedVAD
from .line import Heard, ScriptedTransport

# Seconds by which the sound of an utterance may be short of it without having been cut.
_NEARLY = 0.05


class ScriptedCall:
    """The parts of a bot, ready to be put into a pipeline.

    Args:
        script: What is said.
        prompt: The model's system prompt.
        words: Whether the voice says when each word is spoken.
        context: The model's context; an empty one by default.
        user: Arguments of ``LLMUserAggregatorParams`` that replace the usual.
        stt: Another speech-to-text.
        llm: Another model.
        tts: Another voice, with ``utterances``.
        realtime: Whether the model listens and speaks by itself.
    """

    def __init__(
        self,
        script: Script,
        *,
        prompt: str | None = None,
        words: bool = False,
        context: LLMContext | None = None,
        user: dict[str, Any] | None = None,
        stt: FrameProcessor | None = None,
        llm: FrameProcessor | None = None,
        tts: Any = None,
        realtime: bool = False,
    ) -> None:
        self.script = script
        self.transport = ScriptedTransport(script)
        self.stt = stt or ScriptedSTT(script)
        self.llm = llm or ScriptedLLM(script, prompt=prompt)
        self.tts = tts or ScriptedTTS(words=words)
        self.context = context or LLMContext()
        params: dict[str, Any] = {
            "vad_analyzer": ScriptedVAD(),
            "user_turn_strategies": UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()]),
        }
        pair = LLMContextAggregatorPair(
            self.context,
            user_params=LLMUserAggregatorParams(**(params | (user or {}))),
            realtime_service_mode=realtime,
        )
        self.user, self.assistant = pair.user(), pair.assistant()
        self.words = words
        self.runner: WorkerRunner | None = None

    @property
    def processors(self) -> list[FrameProcessor]:
        """The usual pipeline, in order."""
        output = self.transport.output()
        return [
            self.transport.input(),
            self.stt,
            self.user,
            self.llm,
            self.tts,
            output,
            self.assistant,
        ]

    def worker(self, processors: Sequence[FrameProcessor], **options: Any) -> PipelineWorker:
        """Return a worker for a pipeline of these."""
        params = options.pop("params", None) or PipelineParams()
        return PipelineWorker(Pipeline(list(processors)), params=params, **options)

    async def run(
        self, worker: PipelineWorker, *, cancels: bool = True, runner: WorkerRunner | None = None
    ) -> None:
        """Run the bot to its end.

        Args:
            worker: Runs the pipeline.
            cancels: Whether the caller's hang-up ends it, as in Pipecat's own examples.
            runner: Runs the worker; one that leaves signals alone by default.
        """
        self.runner = runner = runner or WorkerRunner(handle_sigint=False)
        if cancels:

            async def hung_up(transport: object, client: object) -> None:
                await runner.cancel()

            self.transport.add_event_handler("on_client_disconnected", hung_up)
        await runner.add_workers(worker)
        await runner.run()

    @property
    def truth(self) -> list[Spoken]:
        """What was really heard on the line, by its start; of what was cut, whole sentences.

        With word times all words are known, and the beginning of a first sentence always is.
        """
        spoken = [*self._caller(), *self._bot()]
        return sorted(spoken, key=lambda one: one.started)

    def _caller(self) -> list[Spoken]:
        began, gone = self.transport.started_at, self.transport.hung_up_at
        lines: list[Spoken] = []
        for line in self.script.lines:
            start, end = began + line.start, began + line.end
            if not line.text or (gone is not None and start >= gone):
                continue
            cut = gone is not None and end > gone
            stop = min(end, gone) if gone is not None else end
            text = line.heard(stop - start) if cut else line.text
            lines.append(Spoken("user", text, start, stop, cut))
        return lines

    def _bot(self) -> list[Spoken]:
        made = self.tts.utterances
        turns = groupby(self.transport.heard, key=lambda heard: made[heard.number].context)
        return [self._spoken(list(heard)) for _, heard in turns]

    def _spoken(self, heard: list[Heard]) -> Spoken:
        made = self.tts.utterances
        texts: list[str] = []
        cut = False
        for number, parts in groupby(heard, key=lambda part: part.number):
            seconds = sum(part.stopped - part.started for part in parts)
            cut = seconds < made[number].seconds - _NEARLY
            if not cut:
                texts.append(made[number].text)
            elif self.words or not texts:  # else nobody can know how much of it was heard
                texts.append(made[number].heard(seconds))
        context = made[heard[0].number].context
        last = max(i for i, one in enumerate(made) if one.context == context)
        cut = cut or heard[-1].number < last
        return Spoken("assistant", " ".join(texts), heard[0].started, heard[-1].stopped, cut)
