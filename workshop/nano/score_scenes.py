"""Scores the cuts that base processing finds in unseen clips."""

from __future__ import annotations

from collections.abc import Sequence

from kairos_lib.media.scene import Scene
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed

# Times are sums of floats.
_SLACK_S = 1e-6


def lines(clips: Sequence[Processed]) -> list[Line]:
    """The share of cuts that are found within a frame, and how many are found that are none."""
    true = found = within = 0
    for clip in clips:
        said_s = [scene.start_s for scene in clip.found("scenes", Scene)][1:]
        near_s = 1 / clip.truth.fps + _SLACK_S
        true += len(clip.truth.cuts)
        found += len(said_s)
        # Scenes last two seconds at least, so no cut can be near two others.
        within += sum(
            any(abs(cut.time_s - time_s) <= near_s for time_s in said_s) for cut in clip.truth.cuts
        )
    return [
        Line("scenes", "cuts found within 1 frame", within / true, 1.0, f"{true} cuts"),
        Line("scenes", "found cuts that are true", within / max(found, 1), 1.0, f"{found} found"),
    ]
