"""Quality of the picture: blur, noise, blocks and exposure, and where it is frozen or black."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.changes import mean_change
from kairos_lib.analyzers.flaws import blockiness, blur, noise
from kairos_lib.analyzers.marks import Mark, until_next
from kairos_lib.measure import threads
from kairos_lib.media.video import Frame
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class QualitySettings(Settings):
    """Quality of the picture, and stretches without one."""

    frames_per_second: float = Field(1.0, gt=0)
    """How often blur, noise, blocks and exposure are measured."""
    looks_per_second: float = Field(4.0, gt=0)
    """How often to look whether the picture is frozen or black; stretches begin and end at these
    moments."""
    image_px: int = Field(640, ge=64)
    """Longer side of the picture in which blur is measured: what looks sharp at this size is, so
    that videos of different sizes can be compared."""
    small_px: int = Field(336, ge=32)
    """Longer side of the picture that is looked at; at the size of `scenes` frames are scaled once
    for both."""
    frozen_min_s: float = Field(2.0, gt=0)
    frozen_change: float = Field(0.001, gt=0, lt=1)
    """Mean change of the pixels, as a share of their range, below which the picture stands still;
    this and the length are those of FFmpeg's `freezedetect`."""
    black_min_s: float = Field(0.5, gt=0)
    black_level: float = Field(0.1, ge=0, le=1)
    """A pixel up to this share of the range is black; this and the next as in `blackdetect`."""
    black_share: float = Field(0.98, gt=0, le=1)
    """Of the pixels."""


class Quality(Record):
    """A measured frame, or a stretch in which the picture is frozen or black."""

    scene: int
    kind: Literal["measured", "frozen", "black"]
    start_s: float
    end_s: float
    """The same as `start_s` for a measured frame. A stretch lasts until the first look that differs
    and is not reported as frozen where it is black."""
    blur: float | None = None
    """From 0 (sharp) to 1, at `image_px`; None where it was not or cannot be measured, as in the
    other fields."""
    noise: float | None = None
    """Standard deviation in grey levels of 256, of the pixels as stored."""
    blockiness: float | None = None
    """Steps across the edges of 8-pixel blocks divided by those elsewhere, of the pixels as stored:
    1 without blocks."""
    brightness: float | None = None
    """Mean, from 0 (black) to 1 (white)."""
    dark_share: float | None = None
    """Of pixels that are black or next to it."""
    bright_share: float | None = None
    """Of pixels that are white or next to it."""


MEASURES = ("blur", "noise", "blockiness", "brightness", "dark_share", "bright_share")
CLIPPED = 5
"""Grey levels from either end that count as its end."""

# From what value on a word is used. Photographs held against known flaws: blur of 1 px (Gaussian
# sigma, at 640 px) gave .46 to .6 and 4 px .72 to .84; JPEG of quality 20 blocks of 1.65 to 2.8.
BLURRED_ABOVE = 0.65
NOISY_ABOVE = 5.0
BLOCKY_ABOVE = 2.0
UNDEREXPOSED_BELOW = 0.15
OVEREXPOSED_ABOVE = 0.3
"""Share of pixels at the bright end."""


class Analyzer(Stage):
    """Measures some frames, and looks at more of them, while the video is decoded."""

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 1
    record: ClassVar[type[Quality]] = Quality
    settings: ClassVar[type[Settings]] = QualitySettings
    heading: ClassVar[str] = "Picture quality"
    nothing: ClassVar[str] = "nothing remarkable"
    not_run: ClassVar[str] = "not measured"
    filter_title: ClassVar[str] = "Picture quality"
    placed: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("av", "opencv-python-headless", "numpy")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: QualitySettings = context.profile.quality

    @classmethod
    def prompt_line(cls, records: Sequence[Quality]) -> str:
        """The words for what is wrong."""
        found = cls.labels(records)
        return f"Picture quality: {', '.join(found)}" if found else ""

    @classmethod
    def view(cls, records: Sequence[Quality]) -> str:
        """The same words, with the values they are made of."""
        values = ", ".join(f"{name.lower()} {v}" for name, v in _figures(records).items())
        return "; ".join(filter(None, [", ".join(cls.labels(records)), values]))

    @classmethod
    def labels(cls, records: Sequence[Quality]) -> list[str]:
        """A word for each value of a scene that is past its threshold, and for its stretches."""
        return [*_words(medians(records)), *dict.fromkeys(s.kind for s in _stretches(records))]

    @classmethod
    def scene_data(cls, records: Sequence[Quality]) -> dict[str, Any]:
        """Medians, stretches, and each measured frame."""
        return {**cls.exported_data(records)[cls.name], "measured": _measured(records)}

    @classmethod
    def exported_data(cls, records: Sequence[Quality]) -> dict[str, Any]:
        """Medians and stretches."""
        middle = medians(records)
        values = {name: getattr(middle, name) for name in MEASURES}
        return {cls.name: {"median": values, "stretches": _stretches(records)}}

    @classmethod
    def marks(cls, records: Sequence[Quality]) -> Sequence[Mark]:
        """Frozen and black stretches, and those of frames with the same flaws."""
        measured = _measured(records)
        marks = [Mark(one.start_s, one.end_s, one.kind) for one in _stretches(records)]
        last: Mark | None = None
        for one, end_s in zip(measured, until_next([m.start_s for m in measured]), strict=True):
            text = ", ".join(_words(one))
            if last is not None and last.text == text:
                last = replace(last, end_s=end_s)
                continue
            marks += [last] if last is not None and last.text else []
            last = Mark(one.start_s, end_s, text)
        marks += [last] if last is not None and last.text else []
        return sorted(marks, key=lambda mark: mark.start_s)

    @classmethod
    def figures(cls, records: Sequence[Quality]) -> Mapping[str, str]:
        """Medians of the video, and how long it is frozen or black."""
        lengths = {
            kind: sum(s.end_s - s.start_s for s in _stretches(records) if s.kind == kind)
            for kind in ("frozen", "black")
        }
        return {
            **_figures(records),
            **{k.capitalize(): f"{s:.1f} s" for k, s in lengths.items() if s},
        }

    def frames_per_second(self) -> float:
        """Enough to measure and to look."""
        return max(self._settings.frames_per_second, self._settings.looks_per_second)

    def prepare(self) -> None:
        """Import OpenCV, one stage at a time."""
        threads.one_of_opencv()

    def run(self) -> Iterator[Quality]:
        """Yield a record for each measured frame, and for each stretch when it ends."""
        settings = self._settings
        watches = [_Watch("black", settings.black_min_s), _Watch("frozen", settings.frozen_min_s)]
        before: np.ndarray | None = None
        measured, time_s = -1, 0.0
        step_s = 1 / self.context.facts.frames_per_second
        for frame in self.frames:
            step_s = frame.time_s - time_s or step_s
            time_s = frame.time_s
            small = frame.image(settings.small_px, colour="bgr24", interpolation="AREA")
            dark = _is_black(small, settings)
            still = mean_change(small, before) < settings.frozen_change
            # Compared with the first picture of the stretch: one that changes slowly is not still.
            before = before if still else small
            yield from watches[0].see(time_s, goes_on=dark, begins=dark)
            yield from watches[1].see(time_s, goes_on=still and not dark, begins=not dark)
            # Each period of the measuring rate has one measured frame: its first.
            period = int(time_s * settings.frames_per_second + 1e-6)
            if period != measured:
                measured = period
                yield measure(frame, settings.image_px)
            self.context.progress(round(time_s), round(self.context.facts.duration_s))
        # The last picture lasts as long as the one before, or as there is sound.
        facts = self.context.facts
        end_s = facts.end_s(max(time_s, min(time_s + step_s, facts.pictures_end_s)))
        for watch in watches:
            yield from watch.see(end_s, goes_on=False, begins=False)


@dataclass
class _Watch:
    """Notes how long something lasts."""

    kind: Literal["frozen", "black"]
    min_s: float
    _since_s: float | None = field(default=None, init=False)

    def see(self, time_s: float, goes_on: bool, begins: bool) -> Iterator[Quality]:
        """A moment; yields the stretch that it ends, if that is long enough.

        Args:
            time_s: The moment.
            goes_on: Whether it belongs to the present stretch.
            begins: Whether, if not, another begins with it.
        """
        if self._since_s is not None and not goes_on:
            if time_s - self._since_s >= self.min_s:
                yield Quality(scene=-1, kind=self.kind, start_s=self._since_s, end_s=time_s)
            self._since_s = None
        if self._since_s is None and begins:
            self._since_s = time_s


def measure(frame: Frame, image_px: int) -> Quality:
    """Measure one frame.

    Args:
        frame: The frame.
        image_px: Longer side for blur and exposure.
    """
    import cv2

    stored = frame.stored_grey()
    seen = cv2.cvtColor(frame.image(image_px, colour="bgr24"), cv2.COLOR_BGR2GRAY)
    values = {
        "blur": blur(seen),
        "noise": noise(stored),
        "blockiness": blockiness(stored),
        "brightness": float(seen.mean(dtype=np.float64)) / 255,
        "dark_share": float((seen <= CLIPPED).mean(dtype=np.float64)),
        "bright_share": float((seen >= 255 - CLIPPED).mean(dtype=np.float64)),
    }
    return Quality(
        scene=-1,
        kind="measured",
        start_s=frame.time_s,
        end_s=frame.time_s,
        **{name: None if value is None else round(value, 4) for name, value in values.items()},
    )


def medians(records: Sequence[Quality]) -> Quality:
    """The median of each value over the measured frames; None where none has it."""
    measured = _measured(records)
    values = {
        name: [value for one in measured if (value := getattr(one, name)) is not None]
        for name in MEASURES
    }
    return Quality(
        scene=measured[0].scene if measured else -1,
        kind="measured",
        start_s=measured[0].start_s if measured else 0.0,
        end_s=measured[-1].end_s if measured else 0.0,
        **{name: median(found) if found else None for name, found in values.items()},
    )


def _measured(records: Sequence[Quality]) -> list[Quality]:
    return [one for one in records if one.kind == "measured"]


def _stretches(records: Sequence[Quality]) -> list[Quality]:
    return [one for one in records if one.kind != "measured"]


def _words(one: Quality) -> list[str]:
    """Words for what is past a threshold."""
    bright = one.bright_share
    past = {
        "blurred": one.blur is not None and one.blur > BLURRED_ABOVE,
        "noisy": one.noise is not None and one.noise > NOISY_ABOVE,
        "blocky": one.blockiness is not None and one.blockiness > BLOCKY_ABOVE,
        "underexposed": one.brightness is not None and one.brightness < UNDEREXPOSED_BELOW,
        "overexposed": bright is not None and bright > OVEREXPOSED_ABOVE,
    }
    return [word for word, holds in past.items() if holds]


def _figures(records: Sequence[Quality]) -> dict[str, str]:
    """The medians that were measured, by name, with units."""
    middle = medians(records)
    told = {
        "Blur": None if middle.blur is None else f"{middle.blur:.2f}",
        "Noise": None if middle.noise is None else f"{middle.noise:.1f} of 256",
        "Blocks": None if middle.blockiness is None else f"{middle.blockiness:.2f}",
    }
    return {name: value for name, value in told.items() if value is not None}


def _is_black(image: np.ndarray, settings: QualitySettings) -> bool:
    """Whether next to all pixels of a BGR picture are black."""
    black = image.max(axis=2) <= settings.black_level * 255
    return bool(black.mean(dtype=np.float64) >= settings.black_share)
