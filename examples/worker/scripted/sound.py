"""The sound of somebody who speaks."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache


@lru_cache
def _syllable(sample_rate: int) -> array[int]:
    """A fifth of a second of a voice-like hum; the framework times captions by its rhythm."""
    count = sample_rate // 5
    swell = (0.4 + 0.6 * math.sin(math.pi * i / count) ** 2 for i in range(count))
    hum = (math.sin(2 * math.pi * 200 * i / sample_rate) for i in range(count))
    return array("h", (int(3000 * loud * wave) for loud, wave in zip(swell, hum, strict=True)))


def voice(seconds: float, sample_rate: int) -> bytes:
    """Return the sound of someone speaking, as 16-bit mono samples."""
    sound = _syllable(sample_rate) * math.ceil(seconds * 5)
    return sound[: int(seconds * sample_rate)].tobytes()
