"""Colour: the palette of each scene, how light, contrasted and saturated it is, and how warm.

Measured on sampled frames; a scene's values are made of those of its samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.marks import Mark, until_next
from kairos_lib.analyzers.palette import Swatch, hex_colour, merged, name_of, palette_of
from kairos_lib.analyzers.warmth import temperature_k
from kairos_lib.measure import threads
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class ColorSettings(Settings):
    """Colours of sampled frames."""

    frames_per_second: float = Field(1.0, gt=0)
    image_px: int = Field(336, ge=32)
    """Longer side that frames are scaled down to; at the size of `scenes` they are scaled once for
    both."""
    colours: int = Field(5, ge=1, le=16)
    """Maximum number in a palette."""


class ColorShare(Record):
    """One colour of a palette."""

    colour: str
    """`#rrggbb`, in sRGB."""
    name: str
    """The nearest of eleven basic colour terms."""
    share: float
    """Of the pixels."""


class ColorSample(Record):
    """The colours of one frame."""

    scene: int
    time_s: float
    palette: tuple[ColorShare, ...]
    """The largest share first; shares add up to 1."""
    brightness: float
    """Mean lightness (CIE L*), from 0 (black) to 1 (white)."""
    contrast: float
    """Standard deviation of the lightness, from 0 to 0.5 (half black, half white)."""
    saturation: float
    """Mean saturation (S of HSV), from 0 (grey) to 1."""
    temperature_k: float | None
    """Correlated colour temperature of the mean colour; None if it is no shade of white."""


class SceneColors(Record):
    """The colours of a scene: means over its samples."""

    palette: tuple[ColorShare, ...]
    brightness: float
    contrast: float
    saturation: float
    temperature_k: float | None


# From what value on a word is used; temperatures around daylight (5,000 to 6,500 K) have none.
DARK_BELOW = 0.25
BRIGHT_ABOVE = 0.75
GREY_BELOW = 0.1
VIVID_ABOVE = 0.6
WARM_BELOW_K = 4500
COOL_ABOVE_K = 8000
TOLD_SHARE = 0.05
"""Colours with less than this are not named in words."""

MIREK = 1e6
"""Temperatures are averaged as their reciprocals, in which equal steps look alike (CIE 15)."""


class Analyzer(Stage):
    """Measures a frame at a time while the video is decoded."""

    name: ClassVar[str] = "color"
    version: ClassVar[int] = 1
    record: ClassVar[type[ColorSample]] = ColorSample
    settings: ClassVar[type[Settings]] = ColorSettings
    heading: ClassVar[str] = "Colours"
    nothing: ClassVar[str] = "no picture sampled"
    not_run: ClassVar[str] = "not measured"
    filter_title: ClassVar[str] = "Colour"
    placed: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("av", "opencv-python-headless", "numpy")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: ColorSettings = context.profile.color

    @classmethod
    def prompt_line(cls, records: Sequence[ColorSample]) -> str:
        """The colours with their shares, and what is special about them."""
        return f"Colours: {_in_words(records)}" if records else ""

    @classmethod
    def view(cls, records: Sequence[ColorSample]) -> str:
        """The same words, with the temperature."""
        if not records:
            return ""
        kelvin = of_scene(records).temperature_k
        return _in_words(records) + (f" ({kelvin:,.0f} K)" if kelvin else "")

    @classmethod
    def labels(cls, records: Sequence[ColorSample]) -> list[str]:
        """Each colour's name once, and the words for the whole."""
        if not records:
            return []
        whole = of_scene(records)
        return [*_shares(whole.palette), *_words(whole)]

    @classmethod
    def scene_data(cls, records: Sequence[ColorSample]) -> dict[str, Any]:
        """The whole scene, and each sample."""
        return {"scene": of_scene(records) if records else None, "samples": list(records)}

    @classmethod
    def exported_data(cls, records: Sequence[ColorSample]) -> dict[str, Any]:
        """The whole scene alone."""
        return {cls.name: of_scene(records) if records else None}

    @classmethod
    def marks(cls, records: Sequence[ColorSample]) -> Sequence[Mark]:
        """A strip of each sample's largest colour, until the next sample."""
        marks: list[Mark] = []
        for one, end_s in zip(records, until_next([s.time_s for s in records]), strict=True):
            main = one.palette[0]
            if marks and marks[-1].colour == main.colour:
                marks[-1] = replace(marks[-1], end_s=end_s)
            else:
                marks.append(Mark(one.time_s, end_s, main.name, colour=main.colour))
        return marks

    @classmethod
    def figures(cls, records: Sequence[ColorSample]) -> Mapping[str, str]:
        """The largest colour of the video, its brightness and its temperature."""
        if not records:
            return {}
        whole = of_scene(records)
        name, share = _by_name(whole.palette)[0]
        found = {
            "Main colour": f"{name} ({share:.0%})",
            "Brightness": f"{whole.brightness:.0%}",
        }
        if whole.temperature_k:
            found["Colour temperature"] = f"{whole.temperature_k:,.0f} K"
        return found

    def frames_per_second(self) -> float:
        """As the profile says."""
        return self._settings.frames_per_second

    def prepare(self) -> None:
        """Import OpenCV, one stage at a time."""
        threads.one_of_opencv()

    def run(self) -> Iterator[ColorSample]:
        """Yield a sample for each frame; scenes are assigned later."""
        for frame in self.frames:
            image = frame.image(self._settings.image_px, colour="bgr24", interpolation="AREA")
            yield sample(image, frame.time_s, self._settings.colours)
            self.context.progress(round(frame.time_s), round(self.context.facts.duration_s))


def sample(image: np.ndarray, time_s: float, colours: int) -> ColorSample:
    """Measure one picture.

    Args:
        image: BGR, shape (height, width, 3), uint8.
        time_s: Of the frame.
        colours: Maximum number of the palette's.
    """
    import cv2

    scaled = image.astype(np.float32) / 255
    lab = cv2.cvtColor(scaled, cv2.COLOR_BGR2LAB).reshape(-1, 3)
    lightness = lab[:, 0] / 100
    strongest = scaled.max(axis=2)
    # S of HSV: how far the weakest channel is below the strongest.
    saturation = (strongest - scaled.min(axis=2)) / np.maximum(strongest, 1 / 255)
    return ColorSample(
        scene=-1,
        time_s=time_s,
        palette=_named(palette_of(lab, colours)),
        brightness=_clean(float(lightness.mean(dtype=np.float64))),
        contrast=_clean(float(lightness.std(dtype=np.float64))),
        saturation=_clean(float(saturation.mean(dtype=np.float64))),
        temperature_k=temperature_k(image),
    )


def of_scene(records: Sequence[ColorSample]) -> SceneColors:
    """The colours of several samples together; at least one."""
    warmths = [MIREK / one.temperature_k for one in records if one.temperature_k]
    most = max(len(one.palette) for one in records)
    swatches = [
        Swatch.of_hex(part.colour, part.share / len(records))
        for one in records
        for part in one.palette
    ]

    def mean(field: str) -> float:
        return _clean(float(np.mean([getattr(one, field) for one in records])))

    return SceneColors(
        palette=_named(merged(swatches, most)),
        brightness=mean("brightness"),
        contrast=mean("contrast"),
        saturation=mean("saturation"),
        # A few samples that happen to have a temperature do not speak for a scene.
        temperature_k=(
            round(MIREK / float(np.mean(warmths)), 1) if len(warmths) * 2 > len(records) else None
        ),
    )


def _named(swatches: Sequence[Swatch]) -> tuple[ColorShare, ...]:
    return tuple(
        ColorShare(colour=hex_colour(one.lab), name=name_of(one.lab), share=_clean(one.share))
        for one in swatches
    )


def _by_name(palette: Sequence[ColorShare]) -> list[tuple[str, float]]:
    """Shares by name, the largest first."""
    found: dict[str, float] = {}
    for one in palette:
        found[one.name] = found.get(one.name, 0.0) + one.share
    return sorted(found.items(), key=lambda named: -named[1])


def _shares(palette: Sequence[ColorShare]) -> dict[str, float]:
    """Those large enough to be named."""
    return {name: share for name, share in _by_name(palette) if share >= TOLD_SHARE}


def _words(whole: SceneColors) -> list[str]:
    """Words for what is past a threshold."""
    kelvin = whole.temperature_k
    said = {
        "dark": whole.brightness < DARK_BELOW,
        "bright": whole.brightness > BRIGHT_ABOVE,
        "colourless": whole.saturation < GREY_BELOW,
        "vivid": whole.saturation > VIVID_ABOVE,
        "warm": kelvin is not None and kelvin < WARM_BELOW_K,
        "cool": kelvin is not None and kelvin > COOL_ABOVE_K,
    }
    return [word for word, holds in said.items() if holds]


def _in_words(records: Sequence[ColorSample]) -> str:
    whole = of_scene(records)
    colours = ", ".join(f"{name} {share:.0%}" for name, share in _shares(whole.palette).items())
    return "; ".join([colours, *filter(None, [", ".join(_words(whole))])])


def _clean(value: float) -> float:
    """Four digits: more would be noise, and files of long films twice as large."""
    return round(value, 4)
