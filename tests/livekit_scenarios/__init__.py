"""Real sessions with scripted callers and models, the truth about them, and what came of them."""

from .agents import AGENTS
from .compare import compare
from .lost import LOST
from .playing import play
from .realtime import REALTIME
from .speech import SPEECH
from .stage import Play, Stage, Truth
from .tools import TOOLS

__all__ = ["SCENARIOS", "Play", "Stage", "Truth", "compare", "play"]

SCENARIOS: dict[str, Play] = {**SPEECH, **TOOLS, **LOST, **AGENTS, **REALTIME}
