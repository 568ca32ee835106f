"""Scenarios with a known truth: what was said and done, and the document that came of it."""

from .compare import compare
from .playing import Played, play
from .scene import Play, Ran, Scene, Truth, UnsupportedError

__all__ = ["Play", "Played", "Ran", "Scene", "Truth", "UnsupportedError", "compare", "play"]
