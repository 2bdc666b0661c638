"""What a suite consists of, as the bench writes it down when it plans."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, SerializeAsAny, model_validator

from kairos_lib.runs.record import Record

P = TypeVar("P", bound="PlannedStep")


class PlannedStep(Record):
    """One notebook of a suite.

    What a kind of step says beyond these fields is kept as it is, for whoever knows that kind.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    of_kind: ClassVar[str] = ""
    """The kind that a class of planned steps describes."""

    kind: str = ""
    video: str
    in_words: str = ""
    """What it is, as a list of notebooks names it."""
    folder: str
    """Run folder, relative to the project; empty where there is none."""
    problem: str = ""
    """Why it was not run, such as base processing that failed."""

    @model_validator(mode="before")
    @classmethod
    def _with_its_kind(cls, data: Any) -> Any:
        """A class that describes one kind need not be told which."""
        return {"kind": cls.of_kind, **data} if cls.of_kind and isinstance(data, dict) else data


class PlannedBase(PlannedStep):
    """A suite's base processing of one video; without a folder where it could not be planned."""

    of_kind: ClassVar[str] = "base"

    title: str
    """The video's."""
    references: str = ""
    """What the video's captions are held against: a file of `runs/references/`, relative to the
    project; empty where there is nothing."""


class PlannedVlm(PlannedStep):
    """A suite's run of one model over one video, once."""

    of_kind: ClassVar[str] = "vlm"

    model: str
    model_title: str
    repeat: int
    variant_of: str = ""
    """The model that it is a variant of, and is compared with; itself, of the first variant."""


class Manifest(Record):
    """What a suite consists of: `runs/suites/<name>.json`, written by the bench as it plans.

    None of its models' runs is of a video that could not be planned: they are judged by the others.
    """

    schema_version: ClassVar[int] = 2

    name: str
    title: str
    repeats: int
    steps: tuple[SerializeAsAny[PlannedStep], ...]
    price_per_hour: float | None = None
    """Of the machine; none where the suite names none."""
    currency: str = "USD"

    @classmethod
    def migrated(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """The first version had a list for each of the two kinds that there were."""
        bases, runs = data.get("bases"), data.get("runs")
        if not (isinstance(bases, list) and isinstance(runs, list)):
            return data  # No manifest; that there are no steps is what is said of it.
        kinds = [(PlannedBase, step) for step in bases] + [(PlannedVlm, step) for step in runs]
        steps = [
            {"kind": planned.of_kind, **step} if isinstance(step, dict) else step
            for planned, step in kinds
        ]
        return {**data, "steps": steps}

    @model_validator(mode="after")
    def _whole(self) -> Manifest:
        """What is not as its kind has to be is told when the file is read."""
        assert self.bases is not None and self.runs is not None
        return self

    def of(self, planned: type[P]) -> tuple[P, ...]:
        """Its steps of one kind, as the class that describes it."""
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
        """Each model over each video, in each round."""
        return self.of(PlannedVlm)

    @cached_property
    def further(self) -> tuple[PlannedStep, ...]:
        """Steps of all other kinds."""
        known = {PlannedBase.of_kind, PlannedVlm.of_kind}
        return tuple(step for step in self.steps if step.kind not in known)
