"""The logger; ids, counts and states only, never what was said."""

import logging

logger = logging.getLogger("livekit.plugins.zelto")
