"""What the models of a plan need, and whether it is there. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kairos_lib.errors import KairosError
from kairos_lib.findings import BaseFindings
from kairos_lib.measure.provenance import gpus
from kairos_lib.plan import Plan, Step
from kairos_lib.project import Project
from kairos_lib.records import BaseResult
from kairos_lib.settings import Model, Weights
from kairos_lib.stages.session import video_facts
from kairos_lib.vlm import forecast
from kairos_lib.vlm.context import prompt_of
from kairos_lib.vlm.forecast import Forecast
from kairos_lib.weights import find


@dataclass(frozen=True)
class Need:
    """What one model needs for one video of a plan."""

    model: Model
    forecast: Forecast | None
    problem: str
    """Why there is no forecast."""
    told: bool
    """Whether the prompt is the longest of base processing's, not the instruction alone."""
    have_mib: float
    """Memory of the device, all of it on a GPU, and what is free on a CPU."""
    device: str

    @property
    def fits(self) -> bool:
        """Whether weights and cache have room; computing takes more on top."""
        return self.forecast is not None and self.forecast.needed_mib(self.model) < self.have_mib


def needs_of(project: Project, planned: Plan) -> list[Need]:
    """Ask for each model of a plan, over the first of its videos."""
    first: dict[str, Step] = {}
    for step in planned.vlms:
        if step.model is not None:
            first.setdefault(step.model.name, step)
    return [_need(project, planned, step) for step in first.values()]


def _need(project: Project, planned: Plan, step: Step) -> Need:
    model = step.model
    assert model is not None
    on_gpu = model.device == "auto" and bool(gpus())
    have_mib = gpus()[0]["memory_mib"] if on_gpu else psutil.virtual_memory().available / 2**20
    device = str(gpus()[0]["name"]) if on_gpu else "this machine's free RAM"
    prompt = _longest_prompt(planned, step)
    found, problem = None, ""
    try:
        found = _forecast(project, step, prompt or model.prompt.instruction)
    except KairosError as error:
        problem = str(error)
    return Need(model, found, problem, bool(prompt), have_mib, device)


def _forecast(project: Project, step: Step, prompt: str) -> Forecast:
    model = step.model
    assert model is not None
    if model.weights.source == "server":
        raise KairosError("a server runs it")
    facts = video_facts(project, step.video)
    weights = find(project, model.weights)
    if weights.path is None and "weights" not in step.job.parameters["changes"]:
        # Its architecture is known without its weights, if somebody wrote it down.
        dummy = Weights(source="dummy", id=step.job.parameters["model"])
        model, weights = model.model_copy(update={"weights": dummy}), find(project, dummy)
    if weights.path is None:
        raise KairosError("its weights are not here, and nobody described its architecture")
    return forecast.of(project, model, weights, facts.display_size, prompt)


def _longest_prompt(planned: Plan, step: Step) -> str:
    """Of the video's scenes, where base processing is done."""
    assert step.model is not None
    base = next(base.job.run for base in planned.bases if base.video == step.video)
    if not base.done or base.result(BaseResult) is None:
        return ""
    prompts = (prompt_of(found, step.model.prompt) for found in BaseFindings(base.folder))
    return max(prompts, key=len, default="")
