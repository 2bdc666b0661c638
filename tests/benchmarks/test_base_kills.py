"""Base processing that is killed at random moments finds what an undisturbed run does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.projects import CHECKOUT

from benchmarks.base_kills import Outcome, differing, harass, write_clip
from kairos_lib.errors import KairosError

SOUND = CHECKOUT / "kairos_lib" / "nano" / "clips" / "demo-speech.mp4"
STAGES = ("slices", "vad", "color", "quality", "camera", "cuts")
"""Those that need no weights from elsewhere; the command runs all of `packages`."""


@pytest.mark.services
def test_three_kills_leave_no_trace_in_the_results(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 4.0, SOUND)
    stages = (*STAGES, "text") if find_spec("rapidocr") else STAGES
    outcome = harass(tmp_path, clip, 3, stages)
    outcome.check()
    assert len(outcome.kills) == 3
    assert {name: report.state for name, report in outcome.states.items()} == dict.fromkeys(
        outcome.states, "done"
    )
    assert set(stages) < set(outcome.states)
    # Records of each stage, the sound, and two pictures of each scene.
    assert outcome.files > len(outcome.states)


def test_files_that_differ_or_are_missing_are_named() -> None:
    right = {"text.jsonl": b"one", "vad.jsonl": b"two", "audio.wav": b"three"}
    killed = {"text.jsonl": b"one", "vad.jsonl": b"2", "more.jsonl": b""}
    unequal = differing(right, killed)
    assert unequal == ["audio.wav", "more.jsonl", "vad.jsonl"]
    outcome = Outcome(1.0, {}, 3, unequal=[f"{name} of run 1" for name in unequal])
    with pytest.raises(KairosError, match=r"audio\.wav of run 1"):
        outcome.check()
