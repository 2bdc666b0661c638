"""A number over scenes, with each scene's contribution. Knows nothing of what it measures."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from kairos_lib.statistics.bootstrap import Interval, interval

Key = tuple[str, int]
"""A video's name and a scene's index."""


@dataclass(frozen=True)
class Sample:
    """A share or a mean: the sum of `parts` divided by the sum of `wholes`.

    For a mean over scenes every whole is 1; for a share of things counted in scenes (objects,
    attributes) it is their number in the scene. Each scene's contribution is kept, so that an
    interval can be computed by resampling scenes: `interval(sample.rows, sample.videos, ratio)`
    of `kairos_lib.statistics.bootstrap`. All four have the same length.
    """

    videos: tuple[str, ...] = ()
    scenes: tuple[int, ...] = ()
    parts: tuple[float, ...] = ()
    wholes: tuple[float, ...] = ()
    """Never 0: a scene that contributes nothing is left out."""

    @classmethod
    def of(cls, video: str, counted: Iterable[tuple[int, float, float]]) -> Sample:
        """From scene, part and whole; those whose whole is 0 are left out."""
        kept = [entry for entry in counted if entry[2]]
        return cls(
            videos=(video,) * len(kept),
            scenes=tuple(scene for scene, _, _ in kept),
            parts=tuple(part for _, part, _ in kept),
            wholes=tuple(whole for _, _, whole in kept),
        )

    @property
    def n(self) -> int:
        """Number of scenes."""
        return len(self.wholes)

    @property
    def part(self) -> float:
        """Sum of the parts."""
        return math.fsum(self.parts)

    @property
    def whole(self) -> float:
        """Sum of the wholes."""
        return math.fsum(self.wholes)

    @property
    def value(self) -> float | None:
        """The number; None if no scene contributes."""
        return self.part / self.whole if self.wholes else None

    @property
    def keys(self) -> list[Key]:
        """Video and index of each scene."""
        return list(zip(self.videos, self.scenes, strict=True))

    @property
    def rows(self) -> list[tuple[float, float]]:
        """Part and whole of each scene, for `ratio`."""
        return list(zip(self.parts, self.wholes, strict=True))

    def within(self, keys: Collection[Key]) -> Sample:
        """The same number over some of the scenes."""
        places = [place for place, key in enumerate(self.keys) if key in keys]
        return Sample(
            videos=tuple(self.videos[place] for place in places),
            scenes=tuple(self.scenes[place] for place in places),
            parts=tuple(self.parts[place] for place in places),
            wholes=tuple(self.wholes[place] for place in places),
        )


NONE = Sample()
"""A number that was not measured."""


def pooled(samples: Iterable[Sample]) -> Sample:
    """The same number over the scenes of several videos together."""
    listed = list(samples)
    return Sample(
        videos=tuple(video for sample in listed for video in sample.videos),
        scenes=tuple(scene for sample in listed for scene in sample.scenes),
        parts=tuple(part for sample in listed for part in sample.parts),
        wholes=tuple(whole for sample in listed for whole in sample.wholes),
    )


def ratio(rows: Any) -> float:
    """The statistic of a sample's `rows` as a numpy array, shape (n, 2)."""
    part, whole = rows.sum(axis=0)
    return float(part / whole)


def ends(sample: Sample) -> Interval | None:
    """The interval of a number over scenes; None if nothing is known about it."""
    if sample.value is None:
        return None
    found = interval(sample.rows, sample.videos, ratio)
    # If all scenes are alike, so are all resamples, which does not prove certainty.
    return found if found.known and found.low < found.high else None
