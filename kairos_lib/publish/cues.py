"""Captions and speech as cues. Knows nothing of file formats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kairos_lib.pipeline.scene_analysis import SceneFindings
from kairos_lib.subtitles import Cue
from kairos_lib.vlm.records import FusedScene

CUT_OFF = " […]"
"""Marks a caption that was cut off by the limit on new tokens."""


def of_captions(scenes: Iterable[FusedScene], labels: Iterable[str] = ()) -> list[Cue]:
    """One cue for each scene that has a caption, as long as the scene.

    Args:
        scenes: In the order of time.
        labels: What a reader must know before reading them.
    """
    cues = [
        Cue(
            fused.scene.start_s,
            fused.scene.end_s,
            fused.caption.text + (CUT_OFF if fused.caption.truncated else ""),
        )
        for fused in scenes
        if fused.caption.text.strip()
    ]
    return _labelled(cues, labels)


def of_speech(findings: Iterable[SceneFindings], labels: Iterable[str] = ()) -> list[Cue]:
    """One cue for each segment of speech; labels as for captions."""
    cues = [
        Cue(segment.start_s, segment.end_s, segment.text)
        for found in findings
        for segment in found.of("speech")
        if segment.text.strip()
    ]
    # A segment can begin before the scene that it is assigned to.
    return _labelled(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s)), labels)


def _labelled(cues: list[Cue], labels: Iterable[str]) -> list[Cue]:
    """Put labels before the first cue: subtitles have no other place that is always shown."""
    prefix = "".join(f"[{label}] " for label in labels)
    return [replace(cues[0], text=prefix + cues[0].text), *cues[1:]] if cues else []
