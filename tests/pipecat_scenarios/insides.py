"""The functions of the plugin, by who calls them: each of them is made to fail."""

from __future__ import annotations

import operator
import sys

from pipecat.frames import frames
from pipecat.processors.audio.audio_buffer_processor import AudioBufferProcessor

from harming import functions_of, plugin_modules

__all__ = ["CONSTRUCTORS", "ELSEWHERE", "GUARDED", "INSIDE", "LISTENERS", "OURS"]

OURS = functions_of(*plugin_modules("pipecat_zelto"))
# What Pipecat or the user's code calls, which has nothing in it but the base class's own and what
# is guarded; the plain constructors of what the user's code makes; and what stands in a setup
# file, which Pipecat guards.
GUARDS = {
    *(f"_processor.ZeltoProcessor.{name}" for name in ("__init__", "setup", "process_frame")),
    *(f"_observer.ZeltoObserver.{name}" for name in ("__init__", "on_push_frame", "cleanup")),
    "_collector.Collector.__init__",
    "_log._ToLoguru.emit",
    *(name for name in OURS if name.startswith("setup.")),
}
# What only the user's code calls.
ASKED_FOR = {name for name in OURS if name.endswith((".call", ".set_recording_url"))}
# What is called in another conversation than the one in which nearly everything happens.
ELSEWHERE = {
    "_watch.PipelineWatch._give_up": "slow to end",
    "_answers.Answers.speaking": "slow to end",
    "_answers.Answers.answering_since": "transcribed",
}
# What no frame or event of this version of Pipecat leads to.
UNKNOWN = {
    name
    for name, known in {
        "_speech.CallerSpeech.proposed_start": hasattr(frames, "ProposedUserStartedSpeakingFrame"),
        "_speech.CallerSpeech.proposed_stop": hasattr(frames, "ProposedUserStoppedSpeakingFrame"),
        "_watch.PipelineWatch._on_recording": (
            "on_recording_started" in AudioBufferProcessor()._event_handlers
        ),
    }.items()
    if not known
}
INSIDE = OURS.keys() - GUARDS - ASKED_FOR - ELSEWHERE.keys() - UNKNOWN
LISTENERS = sorted(name for name in INSIDE if "._on_" in name)
CONSTRUCTORS = sorted(name for name in INSIDE if name.endswith("__init__"))


def is_guarded(name: str) -> bool:
    """Whether whoever calls this function of ours is safe from it."""
    module, _, qualified = name.partition(".")
    found = operator.attrgetter(qualified)(sys.modules[f"pipecat_zelto.{module}"])
    return hasattr(found, "__wrapped__") and not hasattr(found, "cache_clear")


GUARDED = sorted(name for name in INSIDE if is_guarded(name))
