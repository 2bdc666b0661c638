"""A suite's models apart from their runs: parameters, and hardware needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.files import read_record
from kairos_lib.runs.record import Record
from kairos_lib.vlm import forecast
from kairos_lib.vlm.context import longest_prompt
from kairos_lib.vlm.forecast import Forecast


class _Recorded(Record):
    """Fields that `key.json` and `job.json` of a run share."""

    parameters: Mapping[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class PlannedModel:
    """One model of a suite, with its hardware needs."""

    name: str
    title: str
    model: Model | None = None
    """As it was run or, if it was not run, as its file has it now."""
    forecast: Forecast | None = None
    from_weights: bool = True
    """Whether the forecast is based on its weights, not on a description of its architecture."""
    problem: str = ""
    """Why there is no forecast."""


@dataclass
class _Videos:
    """Base processing of a suite's videos; each video's findings are read once for all models."""

    suite: SuiteData
    found: dict[str, VideoFindings] = field(default_factory=dict)

    def first(self, runs: list[VlmRun]) -> BaseRun:
        """The first video of a model whose frame size is known."""
        for run in runs:
            base = self.suite.base(run.planned.video)
            if base is not None and base.result is not None:
                return base
        raise KairosError("base processing of its videos is not done: their size is not known")

    def findings(self, base: BaseRun) -> VideoFindings:
        """What was found in a video."""
        video = base.planned.video
        if video not in self.found:
            self.found[video] = VideoFindings(base.folder)
        return self.found[video]


def planned_models(suite: SuiteData) -> list[PlannedModel]:
    """Every model of a suite, in the order of the plan, with its forecast where one is needed."""
    by_model: dict[str, list[VlmRun]] = {}
    for run in suite.runs:
        by_model.setdefault(run.planned.model, []).append(run)
    videos = _Videos(suite)
    return [_planned(suite.project, videos, runs) for runs in by_model.values()]


def _planned(project: Project, videos: _Videos, runs: list[VlmRun]) -> PlannedModel:
    name, title = runs[0].planned.model, runs[0].planned.model_title
    model: Model | None = None
    try:
        model, described = parameters_of(project, runs)
        base = videos.first(runs)
        assert base.result is not None
        built, weights = forecast.buildable(project, model, described)
        prompt = longest_prompt(videos.findings(base), model.prompt)
        found = forecast.of(project, built, weights, base.result.facts.display_size, prompt)
    except KairosError as error:
        # Leave out the path of this checkout: it is private.
        problem = str(error).replace(f"{project.root}/", "")
        return PlannedModel(name, title, model, problem=problem)
    return PlannedModel(name, title, model, found, built.weights.source != "dummy")


def parameters_of(project: Project, runs: list[VlmRun]) -> tuple[Model, str]:
    """A model's parameters as its runs recorded them, or else as its file has them now.

    Args:
        project: The checkout.
        runs: The model's runs, begun or not.

    Returns:
        The parameters, and the name under which its architecture may be described; empty if its
        weights were not the ones in its file.

    Raises:
        KairosError: No run was begun and the file no longer exists, or a server runs the model.
    """
    name, title = runs[0].planned.model, runs[0].planned.model_title
    recorded = _first(runs, "key.json")
    job = _first(runs, "job.json")
    file = str(job.get("model", name))
    changes = dict(job.get("changes") or {})
    described = "" if "weights" in changes else file
    weights = dict(recorded.get("weights") or {})
    if weights.get("source") == "server":
        raise KairosError("a server runs it")
    if weights and "id" not in weights:
        # For weights given by path, the id was not recorded: a path does not identify them.
        weights["id"] = _now(project, file, changes, "where its weights are stored").weights.id
    try:
        if weights:
            known = {**recorded, "weights": weights, "name": name, "title": title}
            return Model.model_validate(known), described
    except ValidationError:
        pass  # Recorded by another version of Kairos with different parameters.
    return _now(project, file, changes, "its parameters"), described


def _now(project: Project, file: str, changes: Mapping[str, Any], what: str) -> Model:
    try:
        return load(project, Model, file, dict(changes))
    except KairosError as error:
        raise KairosError(f"{what} cannot be determined any more: {error}") from error


def _first(runs: list[VlmRun], name: str) -> Mapping[str, Any]:
    """The parameters in the first of the runs' files that has any."""
    for run in runs:
        if parameters := _parameters(run.folder / name):
            return parameters
    return {}


def _parameters(path: Path) -> Mapping[str, Any]:
    try:
        found = read_record(path, _Recorded)
    except KairosError:
        return {}  # Damaged by hand: the model's file is used instead.
    return found.parameters if found else {}
