"""What stands in the model's context: prompts, and messages that nobody spoke.

A message that appears in the context without a turn of the caller's was typed, or put there by
the bot's own code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from zelto_agents.contract import Role
from zelto_agents.facts import Fact, HandoffMade, PromptKnown, TurnSaid

__all__ = ["ContextWatch"]

# Seconds that the aggregator may take to say that a message in its context was spoken.
SETTLING = 0.25
# How Pipecat tells the model of a tool that ran beside the talk (async_tool_messages.py).
_ASYNC_TOOL = '{"type": "async_tool"'
_ROLES: dict[str, Role] = {"user": "user", "developer": "system", "system": "system"}


class ContextWatch:
    """Compares the context with what was seen of it before.

    Args:
        add: where facts go.
    """

    def __init__(self, add: Callable[[Fact], None]) -> None:
        self._add = add
        self._models: list[Any] = []
        self._prompt: str | None = None
        self._seen: Counter[tuple[str, str]] = Counter()
        self._spoken: Counter[str] = Counter()
        self._fresh: list[tuple[float, str, str]] = []
        self._typed = 0
        self._replaced = False

    def know_model(self, service: Any, at: float) -> None:
        """A service that may hold the prompt."""
        if _instruction(service):
            self._models.append(service)
            self._tell_prompt(_instruction(service), at)

    def know_context(self, context: Any) -> None:
        """What is in the context before the call begins was said in no turn of it."""
        self._seen = Counter(_messages(context))

    def spoken(self, text: str) -> None:
        """The caller said this, which the context has as well."""
        self._spoken[text] += 1

    def replaced(self, frame: Any, at: float) -> None:
        """The whole context is about to be another one."""
        self._replaced = True

    def sent(self, frame: Any, at: float) -> None:
        """The model is asked to answer."""
        if getattr(frame, "speculation", False):
            return
        messages = list(_messages(frame.context))
        prompts = [_instruction(model) for model in self._models]
        prompts += [text for role, text in messages[:1] if role == "system"]
        self._tell_prompt(next((text for text in prompts if text), ""), at)
        now = Counter(messages)
        fresh = now - self._seen
        if self._replaced:  # of a context put there at once, only an end to be answered is new
            end = messages[-1:] if _last_role(frame.context) == "user" else []
            fresh = Counter(message for message in end if message in fresh)
            self._replaced = False
        self._seen |= now
        for role, text in messages:
            if fresh[role, text] and text != self._prompt:
                fresh[role, text] -= 1
                self._fresh.append((at, role, text))

    def settle(self, at: float) -> None:
        """Tell of messages which by now are known to have been spoken by nobody."""
        while self._fresh and self._fresh[0][0] < at - SETTLING:
            since, role, text = self._fresh.pop(0)
            if role == "user" and self._spoken[text]:
                self._spoken[text] -= 1
                continue
            self._typed += 1
            self._add(
                TurnSaid(
                    at=since,
                    id=f"typed-{self._typed}",
                    role=_ROLES[role],
                    text=text,
                    start=since,
                    end=since,
                    typed=True,
                )
            )

    def finish(self, at: float) -> None:
        """Nothing more will be said of what is in the context."""
        self.settle(at + 2 * SETTLING)

    def _tell_prompt(self, text: str, at: float) -> None:
        if not text or text == self._prompt:
            return
        if self._prompt is None:
            self._add(PromptKnown(at=at, text=text))
        else:
            self._add(HandoffMade(at=at, old="bot", new="bot", prompt=text))
        self._prompt = text


def _instruction(service: Any) -> str:
    """A service's own system prompt, without what Pipecat appends to it."""
    settings = getattr(service, "settings", None) or getattr(service, "_settings", None)
    known = (
        getattr(service, "_base_system_instruction", None),
        getattr(settings, "system_instruction", None),
    )
    return next((text for text in known if isinstance(text, str) and text), "")


def _messages(context: Any) -> Iterable[tuple[str, str]]:
    """Roles and texts; what is in a provider's own form is left out."""
    for message in context.get_messages():
        if isinstance(message, dict) and message.get("role") in _ROLES:
            text = _text(message.get("content"))
            if text and not text.startswith(_ASYNC_TOOL):
                yield message["role"], text


def _last_role(context: Any) -> Any:
    messages = context.get_messages()
    return messages[-1].get("role") if messages and isinstance(messages[-1], dict) else None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))
