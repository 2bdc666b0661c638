"""Schema of a file in `parameters/suites`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kairos_lib.parameters.settings import NAME, Changes, ParameterFile

REPEATS_AT_MOST = 1000


ENTRIES_AT_MOST = 1000
"""Entries of a suite's models or videos, each a name, a pattern or a range."""


VARIANTS_AT_MOST = 100


class Suite(ParameterFile):
    """A benchmark: models by videos."""

    folder: ClassVar[str] = "suites"
    title: str
    models: Annotated[tuple[str, ...], Field(min_length=1, max_length=ENTRIES_AT_MOST)]
    """Names, patterns (`nano*`) or ranges (`game-[0..39]`)."""
    videos: Annotated[tuple[str, ...], Field(min_length=1, max_length=ENTRIES_AT_MOST)]
    """Likewise."""
    base: str | None = None
    """Base profile; if left out, the first model's own."""
    repeats: int = Field(1, ge=1, le=REPEATS_AT_MOST)
    weights: Literal["own", "dummy"] = "own"
    """`dummy` runs every model at full size with random weights, which need no download."""
    variants: Annotated[
        dict[Annotated[str, Field(pattern=f"^{NAME}$")], Changes],
        Field(max_length=VARIANTS_AT_MOST),
    ] = Field(default_factory=dict)
    """Variants of each model: changes to its parameters, under the name `<model>-<variant>`."""
    price_per_hour: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Price of the machine, for the cost of an hour of video; `null` leaves that out."""
    currency: str = Field("USD", min_length=1, max_length=8)
