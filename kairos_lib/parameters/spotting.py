"""What a file of `parameters/events` may say: which events to look for, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from kairos_lib.errors import KairosError
from kairos_lib.parameters.settings import ParameterFile, Settings

LABELS_AT_MOST = 100
TEMPERATURE_AT_MOST = 5.0
PLACE = "{labels}"
"""In an instruction: where the labels go."""


class Windows(Settings):
    """Windows that slide over a video; a model is asked about each."""

    frames_per_second: float = Field(1.0, gt=0, le=60)
    frames: int = Field(4, ge=1, le=64)
    """In one window."""
    step_s: float = Field(2.0, gt=0)
    """From the start of one window to that of the next; less than a window lets them overlap."""
    longest_px: int = Field(384, ge=16)
    """Length of the longer side of a frame; smaller frames are not enlarged."""

    @property
    def length_s(self) -> float:
        """Of a window."""
        return self.frames / self.frames_per_second


class Sampling(Settings):
    """How a model chooses its words."""

    max_new_tokens: int = Field(256, ge=1)
    temperature: float = Field(0.0, ge=0, le=TEMPERATURE_AT_MOST)
    """0 always takes the likeliest token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Tokens are drawn from the fewest whose probabilities add up to this."""
    seed: int = Field(0, ge=0, lt=2**32)


class Spotting(ParameterFile):
    """A task of event spotting: labels, question, windows, and what counts as one event."""

    folder: ClassVar[str] = "events"
    called: ClassVar[str] = "task of event spotting"
    title: str
    labels: Annotated[dict[str, tuple[str, ...]], Field(min_length=1, max_length=LABELS_AT_MOST)]
    """What can happen, each with other names that a model may give it."""
    instruction: str
    """What is asked about each window; `{labels}` stands for the labels."""
    windows: Windows = Windows()
    sampling: Sampling = Sampling()
    batch_size: int = Field(16, ge=1)
    """Windows that are asked about at once."""
    time_from: Literal["windows", "answers"] = "windows"
    """Where an event's time is taken from: the stretch that all windows share which found it, or
    the moment that their answers name (a model must have learnt to)."""
    merge_radius_s: float = Field(3.0, ge=0)
    """Predictions of one label that are closer than this are one event."""
    tolerance_s: float = Field(5.0, gt=0)
    """How far from the truth a prediction may be and still be right, for precision and recall."""
    model_weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field({})
    """How much models count in a vote of several; 1 where one is not named."""

    @model_validator(mode="after")
    def _asks_for_its_labels(self) -> Spotting:
        if PLACE not in self.instruction:
            raise ValueError(f"instruction must say {PLACE}, in the place of which the labels go")
        seen: dict[str, str] = {}
        for label, aliases in self.labels.items():
            for name in (label, *aliases):
                other = seen.setdefault(name.casefold().strip(), label)
                if other != label:
                    raise ValueError(f"{name!r} names both {other!r} and {label!r}")
        return self

    @property
    def prompt(self) -> str:
        """What is asked about each window."""
        return self.instruction.replace(PLACE, ", ".join(self.labels))


class Share(Settings):
    """Which part of a video is worked on, and which share of that work."""

    from_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Only windows that begin from here on."""
    to_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Only windows that begin before this; none is the end of the video."""
    slice: int = Field(0, ge=0)
    """One of the slices, from 1 on; 0 does what these left to do, and puts all together."""
    slices: int = Field(1, ge=1, le=1000)

    @model_validator(mode="after")
    def _is_a_share(self) -> Share:
        if self.slice > self.slices:
            raise ValueError(f"slice must be from 0 to {self.slices}, not {self.slice}")
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError(f"to_s must be more than from_s, which is {self.from_s:g}")
        return self


def share_of(said: Mapping[str, Any]) -> Share:
    """A share as a notebook's parameters say it.

    Raises:
        KairosError: They say it wrongly.
    """
    try:
        return Share.model_validate(dict(said))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("part", *first["loc"])))
        raise KairosError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
