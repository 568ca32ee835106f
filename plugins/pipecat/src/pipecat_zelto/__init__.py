"""Zelto for Pipecat: one processor in the pipeline sends every finished call.

from pipecat_zelto import ZeltoProcessor

pipeline = Pipeline([..., ZeltoProcessor(agent_id="support")])
"""

from pathlib import Path

from zelto_agents import Call, Zelto

from ._observer import ZeltoObserver
from ._processor import ZeltoProcessor
from ._version import __version__

__all__ = ["SETUP_FILE", "Call", "Zelto", "ZeltoObserver", "ZeltoProcessor", "__version__"]

SETUP_FILE = str(Path(__file__).with_name("setup.py"))
"""For ``PIPECAT_SETUP_FILES``: every pipeline of a process, without a line of code."""
