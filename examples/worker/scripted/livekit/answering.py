"""Scripted language model and text-to-speech, on the base classes of livekit-agents."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from livekit.agents import llm, tts, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)

from scripted.script import Reply, Script
from scripted.sound import voice

CHARACTERS_PER_SECOND = 14.0
"""How fast the scripted voice speaks."""
FIRST_TOKEN = 0.15
"""Seconds until the language model begins to answer."""
FIRST_SOUND = 0.1
"""Seconds until the voice begins to speak."""
PER_WORD = 0.01
SAMPLE_RATE = 24_000


class ScriptedLLM(llm.LLM[str]):
    """Answers by the script, on the newest input that it is shown.

    Args:
        script: Where the replies come from.
        provider: The provider that metrics and usage name.
        model: The model that metrics and usage name.
    """

    def __init__(
        self, script: Script, *, provider: str = "scripted", model: str = "scripted-llm"
    ) -> None:
        super().__init__()
        self.script = script
        self._provider, self._model = provider, model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        """Return the answer to the chat so far, streamed word by word."""
        reply = self.script.reply_to(_newest_input(chat_ctx))
        return _Answer(self, reply, chat_ctx, tools or [], conn_options)


def _newest_input(chat_ctx: llm.ChatContext) -> str:
    for item in reversed(chat_ctx.items):
        if item.type == "function_call_output":
            return item.output
        if item.type == "message" and item.role != "assistant":
            return item.text_content or ""
    return ""


class _Answer(llm.LLMStream):
    def __init__(
        self,
        model: ScriptedLLM,
        reply: Reply,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._reply = reply
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        request_id = utils.shortuuid("scripted_")
        await asyncio.sleep(FIRST_TOKEN)
        for word in re.findall(r"\S+\s*", self._reply.text):
            self._send(request_id, llm.ChoiceDelta(role="assistant", content=word))
            await asyncio.sleep(PER_WORD)
        if self._reply.tool:
            call = llm.FunctionToolCall(
                name=self._reply.tool,
                arguments=json.dumps(dict(self._reply.arguments)),
                call_id=utils.shortuuid("call_"),
            )
            self._send(request_id, llm.ChoiceDelta(role="assistant", tool_calls=[call]))
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, usage=self._usage()))

    def _send(self, request_id: str, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, delta=delta))

    def _usage(self) -> llm.CompletionUsage:
        # four characters to a token, the usual estimate
        shown = sum(len(m.text_content or "") for m in self._chat_ctx.messages())
        said = len(self._reply.text) + len(json.dumps(dict(self._reply.arguments)))
        prompt, completion = max(1, shown // 4), max(1, said // 4)
        return llm.CompletionUsage(
            prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
        )


class ScriptedTTS(tts.TTS[str]):
    """Hums for as long as the words would take.

    Args:
        provider: The provider that metrics and usage name.
        model: The model that metrics and usage name.
    """

    def __init__(self, *, provider: str = "scripted", model: str = "scripted-tts") -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self._provider, self._model = provider, model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Return the sound of one sentence."""
        return _Sound(tts=self, input_text=text, conn_options=conn_options)


class _Sound(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("scripted_"),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        await asyncio.sleep(FIRST_SOUND)
        seconds = len(self._input_text) / CHARACTERS_PER_SECOND
        output_emitter.push(voice(seconds, SAMPLE_RATE))
        output_emitter.flush()
