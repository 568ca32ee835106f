"""The document of a scenario against the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .scene import Scene, Truth

__all__ = ["Verdict", "compare"]

TOLERANCE = 0.1
"""Seconds by which a start or an end may be off."""


@dataclass
class Verdict:
    """What is wrong with a document, and by how much its times are off at the most."""

    turns: int = 0
    worst: float = 0.0
    faults: list[str] = field(default_factory=list)


def compare(stage: Scene) -> Verdict:
    """Every turn once, in order, with its role, text, start and end."""
    verdict = Verdict(len(stage.turns))
    if stage.fault or not stage.bodies:
        verdict.faults.append(stage.fault or "nothing arrived")
        return verdict
    starts = [turn["startSeconds"] for turn in stage.turns if "startSeconds" in turn]
    if starts != sorted(starts):
        verdict.faults.append(f"not in order: {starts}")
    # Of two that started in the same moment, either may come first.
    timed = len(starts) == len(stage.turns)
    turns, expected = list(stage.turns), stage.expected
    if timed:
        turns.sort(key=lambda turn: (turn["startSeconds"], turn["content"]))
        expected.sort(key=lambda turn: (round((turn.start or 0) - stage.began, 3), turn.text))
    roles = [turn["role"] for turn in turns]
    if roles != [turn.role for turn in expected]:
        verdict.faults.append(f"roles {roles}, not {[turn.role for turn in expected]}")
        return verdict
    for number, (turn, truth) in enumerate(zip(turns, expected, strict=True)):
        if not _same_text(turn["content"], truth):
            verdict.faults.append(f"turn {number} is {turn['content']!r}, not {truth.text!r}")
        _compare_times(verdict, stage, f"turn {number}", turn, truth)
    silent = stage.document["metadata"].get("zelto", {}).get("untranscribed", [])
    if [stretch["role"] for stretch in silent] != [truth.role for truth in stage.untranscribed]:
        verdict.faults.append(f"untranscribed {silent}, not {stage.untranscribed}")
    else:
        for stretch, truth in zip(silent, stage.untranscribed, strict=True):
            _compare_times(verdict, stage, "untranscribed", stretch, truth)
    return verdict


def _same_text(content: str, truth: Truth) -> bool:
    if not truth.interrupted:
        return content == truth.text
    # The word that was being spoken, or about to be, may or may not be counted.
    said, found = truth.text.split(), content.removesuffix("...").split()
    common = min(len(said), len(found))
    return said[:common] == found[:common] and abs(len(said) - len(found)) <= 1


def _compare_times(
    verdict: Verdict, stage: Scene, what: str, turn: dict[str, Any], truth: Truth
) -> None:
    for name, moment in (("startSeconds", truth.start), ("endSeconds", truth.end)):
        found = turn.get(name)
        if found is None or moment is None:
            if found is not moment:
                verdict.faults.append(f"{what} has {name} {found}, not {moment}")
            continue
        off = abs(found - (moment - stage.began))
        verdict.worst = max(verdict.worst, off)
        if off > stage.tolerance:
            verdict.faults.append(f"{what}: {name} {found} is {off:.3f} s off")
