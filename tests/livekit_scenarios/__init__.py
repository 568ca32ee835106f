"""Real sessions with scripted callers and models, the truth about them, and what came of them."""

from .agents import AGENTS
from .lost import LOST
from .realtime import REALTIME
from .speech import SPEECH
from .stage import Play, Stage
from .tools import TOOLS

__all__ = ["SCENARIOS", "Stage"]

SCENARIOS: dict[str, Play] = {**SPEECH, **TOOLS, **LOST, **AGENTS, **REALTIME}
