"""What the models of a plan need, and whether this machine has it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kairos_lib.bench.plan import Plan
from kairos_lib.bench.step import Step
from kairos_lib.errors import KairosError
from kairos_lib.measure.devices import gpu_of
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.base_session import video_facts
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.vlm import forecast
from kairos_lib.vlm.context import longest_prompt
from kairos_lib.vlm.forecast import Forecast


@dataclass(frozen=True)
class Requirement:
    """What one model needs for one video of a plan."""

    model: Model
    forecast: Forecast | None
    problem: str
    """Why there is no forecast."""
    whole_prompt: bool
    """Whether the forecast uses the longest prompt of base processing, not the instruction
    alone."""
    have_mib: float
    """Memory of the device: total for a GPU, free for a CPU."""
    device: str

    @property
    def fits(self) -> bool:
        """Whether weights and cache fit; computing needs more."""
        return self.forecast is not None and self.forecast.needed_mib(self.model) < self.have_mib


def requirements_of(project: Project, planned: Plan) -> list[Requirement]:
    """Compute the needs of each model of a plan, on the first of its videos."""
    first: dict[str, Step] = {}
    for step in planned.vlms:
        if step.model is not None:
            first.setdefault(step.model.name, step)
    return [_need(project, step) for step in first.values()]


def _need(project: Project, step: Step) -> Requirement:
    model = step.model
    assert model is not None
    gpu = gpu_of(model.device)
    have_mib = gpu["memory_mib"] if gpu else psutil.virtual_memory().available / 2**20
    device = str(gpu["name"]) if gpu else "this machine's free RAM"
    base = step.after[0].job.run
    whole_prompt = base.done and base.result(BaseResult) is not None
    found, problem = None, ""
    try:
        prompt = model.prompt.instruction
        if whole_prompt:
            prompt = longest_prompt(VideoFindings(base.folder), model.prompt)
        # Without its weights, a description of its architecture is used if there is one.
        own = "weights" not in step.job.parameters["changes"]
        built, weights = forecast.buildable(
            project, model, step.job.parameters["model"] if own else ""
        )
        size = video_facts(project, step.video).display_size
        found = forecast.of(project, built, weights, size, prompt)
    except KairosError as error:
        problem = str(error)
    return Requirement(model, found, problem, whole_prompt, have_mib, device)
