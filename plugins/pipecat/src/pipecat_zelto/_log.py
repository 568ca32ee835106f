"""Pipecat logs with loguru; what the core says with the standard library belongs there too."""

from __future__ import annotations

import functools
import logging

from loguru import logger

__all__ = ["to_loguru"]


class _ToLoguru(logging.Handler):
    """Hands every record on; its texts hold ids and counts alone."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        try:
            logger.log(record.levelname, "Zelto: {}", record.getMessage())
        except Exception:  # noqa: BLE001 - a sink of the user's that fails
            self.handleError(record)


@functools.cache
def to_loguru() -> None:
    """Once: unless the host has set standard logging up, and hears the core already."""
    core = logging.getLogger("zelto_agents")
    if not core.hasHandlers():
        core.addHandler(_ToLoguru())
        if core.level == logging.NOTSET:
            core.setLevel(logging.INFO)
