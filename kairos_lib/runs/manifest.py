"""The contents of a suite, as written by the bench when it plans."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, SerializeAsAny, model_validator

from kairos_lib.runs.record import Record

P = TypeVar("P", bound="PlannedStep")


class PlannedStep(Record):
    """One notebook of a suite.

    Further fields of a kind of step are kept as they are, for code that knows that kind.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    of_kind: ClassVar[str] = ""
    """The kind that a subclass describes."""

    kind: str = ""
    video: str
    in_words: str = ""
    """Description for a list of notebooks."""
    folder: str
    """Run folder, relative to the project; empty if there is none."""
    problem: str = ""
    """Why it was not run, such as base processing that failed."""

    @model_validator(mode="before")
    @classmethod
    def _with_its_kind(cls, data: Any) -> Any:
        """A class that describes one kind sets it by default."""
        return {"kind": cls.of_kind, **data} if cls.of_kind and isinstance(data, dict) else data


class PlannedBase(PlannedStep):
    """A suite's base processing of one video; without a folder if it could not be planned."""

    of_kind: ClassVar[str] = "base"

    title: str
    """The video's."""
    references: str = ""
    """Reference captions of the video: a file of `runs/references/`, relative to the project; empty
    if there are none."""


class PlannedVlm(PlannedStep):
    """A suite's run of one model on one video, once."""

    of_kind: ClassVar[str] = "vlm"

    model: str
    model_title: str
    repeat: int
    variant_of: str = ""
    """The model of which it is a variant; the first variant names itself."""


class Manifest(Record):
    """The contents of a suite: `runs/suites/<name>.json`, written by the bench as it plans.

    Videos that could not be planned have no runs of models: these are judged by the other videos.
    """

    schema_version: ClassVar[int] = 2

    name: str
    title: str
    repeats: int
    steps: tuple[SerializeAsAny[PlannedStep], ...]
    price_per_hour: float | None = None
    """Price of the machine; None if the suite gives none."""
    currency: str = "USD"

    @classmethod
    def migrated(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """The first version had one list for each of the two kinds that existed."""
        bases, runs = data.get("bases"), data.get("runs")
        if not (isinstance(bases, list) and isinstance(runs, list)):
            return data  # Not a manifest; validation reports the missing steps.
        kinds = [(PlannedBase, step) for step in bases] + [(PlannedVlm, step) for step in runs]
        steps = [
            {"kind": planned.of_kind, **step} if isinstance(step, dict) else step
            for planned, step in kinds
        ]
        return {**data, "steps": steps}

    @model_validator(mode="after")
    def _whole(self) -> Manifest:
        """Check each step's fields when the file is read."""
        assert self.bases is not None and self.runs is not None
        return self

    def of(self, planned: type[P]) -> tuple[P, ...]:
        """Its steps of one kind, as instances of the class that describes it."""
        return tuple(
            planned.model_validate(step.model_dump())
            for step in self.steps
            if step.kind == planned.of_kind
        )

    @cached_property
    def bases(self) -> tuple[PlannedBase, ...]:
        """Base processing of each video."""
        return self.of(PlannedBase)

    @cached_property
    def runs(self) -> tuple[PlannedVlm, ...]:
        """Each model on each video, in each round."""
        return self.of(PlannedVlm)

    @cached_property
    def further(self) -> tuple[PlannedStep, ...]:
        """Steps of all other kinds."""
        known = {PlannedBase.of_kind, PlannedVlm.of_kind}
        return tuple(step for step in self.steps if step.kind not in known)
