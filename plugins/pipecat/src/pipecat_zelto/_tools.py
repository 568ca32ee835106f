"""From the frames of function calls to facts: one turn for each tool that ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zelto_agents.contract import plain_json
from zelto_agents.facts import Fact, ToolEnded, ToolStarted

__all__ = ["Tools"]


class Tools:
    """Follows tools from the model's wish to the last result.

    Args:
        add: where facts go.
    """

    def __init__(self, add: Callable[[Fact], None]) -> None:
        self._add = add

    def asked(self, frame: Any, at: float) -> None:
        """The model wants tools; some may wait for others before they run."""
        for call in frame.function_calls:
            self._started(call, at)

    def running(self, frame: Any, at: float) -> None:
        """One of them runs now."""
        self._started(frame, at)

    def _started(self, call: Any, at: float) -> None:
        self._add(
            ToolStarted(
                at=at,
                id=call.tool_call_id,
                name=call.function_name,
                arguments=plain_json(call.arguments),
            )
        )

    def result(self, frame: Any, at: float) -> None:
        """It came back; a tool that goes on beside the talk may report more than once."""
        fault = getattr(frame, "error", None)  # since 1.9; before, the result tells
        final = frame.properties is None or frame.properties.is_final
        self._add(
            ToolEnded(
                at=at,
                id=frame.tool_call_id,
                result=plain_json(frame.result if fault is None else fault),
                failed=fault is not None,
                details={} if final else {"final": False},
            )
        )

    def cancelled(self, frame: Any, at: float) -> None:
        """The caller cut in, or it took too long."""
        # Only the deadline asks for an answer of the model's (since 1.9).
        why = "timed out" if getattr(frame, "run_llm", False) else "cancelled"
        self._add(ToolEnded(at=at, id=frame.tool_call_id, result=why, failed=True))
