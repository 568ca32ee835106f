"""What stands in the model's context: prompts, and messages that nobody spoke.

A message that is appended to the context without a turn of the caller's was typed, or put there by
the bot's own code. Contexts are also edited: documents are added to a question, old messages are
summed up, all of them replaced. What is changed so was said in no turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from zelto_agents.contract import Role
from zelto_agents.facts import Fact, HandoffMade, PromptKnown, TurnSaid

__all__ = ["ContextWatch"]

# Seconds that the aggregator may take to say that a message in its context was spoken.
SETTLING = 0.25
# Messages of the context that are kept to know again.
REMEMBERED = 50
# How Pipecat tells the model of a tool that ran beside the talk (async_tool_messages.py).
_ASYNC_TOOL = '{"type": "async_tool"'
_ROLES: dict[str, Role] = {"user": "user", "developer": "system", "system": "system"}


class ContextWatch:
    """Compares the context with what was in it when it was last looked at.

    Args:
        add: where facts go.
    """

    def __init__(self, add: Callable[[Fact], None]) -> None:
        self._add = add
        self._models: list[Any] = []
        self._prompt: str | None = None
        self._context: Any = None
        self._known: list[Any] = []
        self._spoken: deque[str] = deque(maxlen=50)
        self._fresh: list[tuple[float, str, str]] = []
        self._typed = 0

    def know_model(self, service: Any, at: float) -> None:
        """A service that may hold the prompt; of several, the first."""
        if _instruction(service):
            self._models.append(service)
            if self._prompt is None:
                self._tell_prompt(_instruction(service), at)

    def know_context(self, context: Any) -> None:
        """The conversation's context; what is in it before the call was said in no turn of it."""
        self._context, self._known = context, list(context.get_messages())[-REMEMBERED:]

    def spoken(self, text: str) -> None:
        """The caller said this, which the context has as well."""
        self._spoken.append(text)

    def sent(self, frame: Any, at: float) -> None:
        """The model is asked to answer."""
        if getattr(frame, "speculation", False):
            return
        if self._context is None:  # a bot that does without aggregators
            self._context = frame.context
        if frame.context is not self._context:
            return  # of a classifier, or another model beside the talk
        messages = self._look(at)
        prompts = [_instruction(model) for model in self._models]
        prompts += [_text(m) for m in messages[:1] if _role(m) == "system"]
        self._tell_prompt(next((text for text in prompts if text), ""), at)

    def _look(self, at: float) -> Sequence[Any]:
        """Note what has been appended since the last look."""
        messages = list(self._context.get_messages())
        before = _after_known(messages, self._known)
        if before is None:  # nothing of it is left: only an end that is to be answered is new
            before = len(messages) - (1 if messages and _role(messages[-1]) == "user" else 0)
        for number, message in enumerate(messages[before:], before):
            role, text = _role(message), _text(message)
            prompt = number == 0 and role == "system"
            if role in _ROLES and text and not text.startswith(_ASYNC_TOOL) and not prompt:
                self._fresh.append((at, role, text))
        self._known = messages[-REMEMBERED:]
        return messages

    def settle(self, at: float) -> None:
        """Tell of messages which by now are known to have been spoken by nobody."""
        while self._fresh and self._fresh[0][0] < at - SETTLING:
            since, role, text = self._fresh.pop(0)
            if role == "user" and any(said in text for said in self._spoken):
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
        if self._context is not None:
            self._look(at)
        self.settle(at + 2 * SETTLING)

    def _tell_prompt(self, text: str, at: float) -> None:
        if not text or text == self._prompt:
            return
        if self._prompt is None:
            self._add(PromptKnown(at=at, text=text))
        else:
            self._add(HandoffMade(at=at, old="bot", new="bot", prompt=text))
        self._prompt = text


def _after_known(messages: Sequence[Any], known: Sequence[Any]) -> int | None:
    """Where what is new begins: behind the last message that was there before."""
    if not known:
        return 0
    before = {id(message) for message in known}
    for number in range(len(messages) - 1, -1, -1):
        if id(messages[number]) in before or messages[number] == known[-1]:
            return number + 1
    return None


def _instruction(service: Any) -> str:
    """A service's own system prompt, without what Pipecat appends to it."""
    settings = getattr(service, "settings", None) or getattr(service, "_settings", None)
    known = (
        getattr(service, "_base_system_instruction", None),
        getattr(settings, "system_instruction", None),
    )
    return next((text for text in known if isinstance(text, str) and text), "")


def _role(message: Any) -> str:
    """Who speaks; empty for what is in a provider's own form."""
    return str(message.get("role", "")) if isinstance(message, dict) else ""


def _text(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))
