"""Real pipelines with scripted callers and models, the truth about them, and what came of them."""

from .edits import EDITS
from .places import PLACES
from .realtime import REALTIME
from .speech import SPEECH
from .stage import Play, Stage
from .tools import TOOLS

__all__ = ["SCENARIOS", "Stage"]

SCENARIOS: dict[str, Play] = {**SPEECH, **TOOLS, **PLACES, **EDITS, **REALTIME}
