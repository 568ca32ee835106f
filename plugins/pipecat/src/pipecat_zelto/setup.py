"""Zelto without a line of code: ``PIPECAT_SETUP_FILES=$(python -m pipecat_zelto.setup)``.

Pipecat runs the function below for every pipeline of a process. Settings come from the
environment, such as ``ZELTO_API_KEY`` and ``ZELTO_AGENT_ID``.
"""

from __future__ import annotations

from typing import Any

from pipecat_zelto import ZeltoObserver

__all__ = ["setup_pipeline_worker", "setup_worker_runner"]


async def setup_pipeline_worker(worker: Any) -> None:
    """Called by Pipecat before a pipeline starts, which reads its parameters after this."""
    worker.params.enable_usage_metrics = True
    worker.add_observer(ZeltoObserver())


async def setup_worker_runner(runner: Any) -> None:
    """Called by Pipecat before its runner starts; there is nothing to do."""


if __name__ == "__main__":
    print(__file__)
