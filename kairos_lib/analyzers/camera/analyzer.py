"""Camera: how it moves in each scene, as stretches of pan, tilt, zoom, roll or shake."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import ClassVar

import numpy as np

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.camera.settings import CameraSettings
from kairos_lib.analyzers.camera.stretches import GAP_S, HANDHELD, STILL, Stretch, Track, stretches
from kairos_lib.analyzers.marks import Mark
from kairos_lib.analyzers.motion import Motion
from kairos_lib.media.scene import Scene
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

STRETCHES_AT_MOST = 4
"""In a line about a scene."""
SLACK_S = 1e-3
"""Times of frames and scenes are rounded differently."""


class CameraMove(Record):
    """What the camera does for a while. Speeds are means: how far it went in that time."""

    scene: int
    start_s: float
    end_s: float
    labels: tuple[str, ...]
    """The fastest first: pan left or right, tilt up or down, zoom in or out, roll clockwise or
    anticlockwise, then handheld; or still alone."""
    moving: bool
    """Whether it pans, tilts, zooms or rolls."""
    pan_px_per_s: float
    """Positive is to the right, in pixels of the video as shown."""
    pan_widths_per_s: float
    """The same as a share of the width."""
    tilt_px_per_s: float
    """Positive is upwards."""
    tilt_widths_per_s: float
    """The same as a share of the width, not of the height."""
    zoom_percent_per_s: float
    """Growth of what is in the picture in a second; negative for a zoom out."""
    roll_deg_per_s: float
    """Positive is clockwise, as the one behind the camera sees it."""
    shake_px: float
    """Root mean square distance from the smooth path."""
    shake_widths: float


class Analyzer(Stage):
    """Sums up what `motion` measured, scene by scene."""

    name: ClassVar[str] = "camera"
    version: ClassVar[int] = 1
    record: ClassVar[type[CameraMove]] = CameraMove
    settings: ClassVar[type[Settings]] = CameraSettings
    heading: ClassVar[str] = "Camera"
    nothing: ClassVar[str] = "too little to see how it moves"
    filter_title: ClassVar[str] = "Camera"
    needs: ClassVar[tuple[str, ...]] = ("scenes", "motion")

    @classmethod
    def prompt_line(cls, records: Sequence[CameraMove]) -> str:
        """What it does, one thing after another, without numbers."""
        said = _in_turn([" and ".join(one.labels) for one in records])[:STRETCHES_AT_MOST]
        return "Camera: " + ", then ".join(said) if said else ""

    @classmethod
    def view(cls, records: Sequence[CameraMove]) -> str:
        """The same, with speeds."""
        return ", then ".join(_in_turn([_with_speeds(one) for one in records]))

    @classmethod
    def labels(cls, records: Sequence[CameraMove]) -> list[str]:
        """Each label once."""
        return list(dict.fromkeys(label for one in records for label in one.labels))

    @classmethod
    def marks(cls, records: Sequence[CameraMove]) -> list[Mark]:
        """Each stretch."""
        return [Mark(one.start_s, one.end_s, ", ".join(one.labels)) for one in records]

    @classmethod
    def figures(cls, records: Sequence[CameraMove]) -> Mapping[str, str]:
        """How much of the time the camera moves, and how it does so mostly."""
        total_s = sum(one.end_s - one.start_s for one in records)
        if not total_s:
            return {}
        shares: defaultdict[str, float] = defaultdict(float)
        for one in records:
            for label in one.labels:
                shares[label] += (one.end_s - one.start_s) / total_s
        moving = sum(one.end_s - one.start_s for one in records if one.moving) / total_s
        told = {"Camera moves": f"{moving:.0%} of the time"}
        if moving:
            label, share = max(shares.items(), key=lambda one: one[1])
            told["Camera mostly"] = f"{label} ({share:.0%})"
        return told

    def run(self) -> Iterator[CameraMove]:
        """Yield the stretches of each scene."""
        motions = iter(Journal(self.context.folder / "motion.jsonl", Motion))
        upcoming = next(motions, None)
        scenes = self.context.scenes()
        for scene in scenes:
            inside: list[Motion] = []
            while upcoming is not None and upcoming.time_s < scene.end_s - SLACK_S:
                # What lies across a cut belongs to neither side.
                if upcoming.time_s - upcoming.gap_s >= scene.start_s - SLACK_S:
                    inside.append(upcoming)
                upcoming = next(motions, None)
            for track in tracks(inside):
                for stretch in stretches(track, self.context.profile.camera):
                    yield self._move(scene, stretch)
            self.context.progress(scene.index + 1, len(scenes))

    def _move(self, scene: Scene, stretch: Stretch) -> CameraMove:
        """A stretch in the video's own pixels: the camera's movement, the reverse of the picture's.

        It begins and ends with its scene where only the step across the cut is missing.
        """
        width_px, _ = self.context.facts.display_size
        right, down, growth, clockwise = stretch.track.mean()
        shake = stretch.track.shake()
        longest_s = float(stretch.track.step_s.max()) + SLACK_S
        start_s, end_s = float(stretch.track.start_s[0]), float(stretch.track.end_s[-1])
        return CameraMove(
            scene=scene.index,
            start_s=scene.start_s if start_s - scene.start_s <= longest_s else start_s,
            end_s=scene.end_s if scene.end_s - end_s <= longest_s else end_s,
            labels=stretch.labels,
            moving=bool(set(stretch.labels) - {STILL, HANDHELD}),
            pan_px_per_s=-right * width_px,
            pan_widths_per_s=-right,
            tilt_px_per_s=down * width_px,
            tilt_widths_per_s=down,
            zoom_percent_per_s=100 * math.expm1(growth),
            roll_deg_per_s=-clockwise,
            shake_px=shake * width_px,
            shake_widths=shake,
        )


def tracks(motions: Sequence[Motion]) -> Iterator[Track]:
    """The measured motion of a scene, in pieces without a long gap.

    A frame or two that could not be measured, as in a flash, end nothing.
    """
    steps: list[tuple[float, float, tuple[float, ...]]] = []
    for one in motions:
        if one.movement is None:
            continue
        start_s = one.time_s - one.gap_s
        if steps and start_s - steps[-1][1] > GAP_S:
            yield _track(steps)
            steps = []
        move = one.movement
        speed = (move.dx_widths_per_s, move.dy_widths_per_s, move.zoom_per_s, move.roll_deg_per_s)
        steps.append((start_s, one.time_s, speed))
    if steps:
        yield _track(steps)


def _track(steps: Sequence[tuple[float, float, tuple[float, ...]]]) -> Track:
    start_s, end_s, speed = zip(*steps, strict=True)
    return Track(np.array(start_s), np.array(end_s), np.array(speed))


def _with_speeds(move: CameraMove) -> str:
    """`pan right (200 px/s), zoom in (20 %/s)`."""
    speeds = {
        "pan": f"{abs(move.pan_px_per_s):.0f} px/s, {abs(move.pan_widths_per_s):.0%} of the width",
        "tilt": f"{abs(move.tilt_px_per_s):.0f} px/s",
        "zoom": f"{abs(move.zoom_percent_per_s):.0f} %/s",
        "roll": f"{abs(move.roll_deg_per_s):.0f} °/s",
        HANDHELD: f"{move.shake_px:.1f} px",
    }
    said = ((label, speeds.get(label.split()[0], "")) for label in move.labels)
    return " and ".join(f"{label} ({speed})" if speed else label for label, speed in said)


def _in_turn(said: Sequence[str]) -> list[str]:
    """What is said, without what was said just before: between may be what nobody could see."""
    return [one for one, _ in groupby(said)]
