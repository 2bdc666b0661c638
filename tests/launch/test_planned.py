"""A notebook of a job works on the run that was planned, or says why it cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from helpers.projects import write_parameters

from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.bench.step import Step
from kairos_lib.errors import KairosError
from kairos_lib.measure import devices
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.run import Run
from kairos_lib.vlm.vlm_session import VlmSession

ELSEWHERE = {"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "5"}
"""How another machine sets its threads."""


def steps(project: Project) -> tuple[Step, Step]:
    """The base run and the model's, as they are planned here."""
    planned = make_plan(project, suite_of(project, BenchRequest(suite="one")))
    return planned.bases[0], planned.vlms[0]


@contextmanager
def under(project: Project, step: Step) -> Iterator[None]:
    """As in the kernel of a step's job, on another machine."""
    with mock.patch.dict(os.environ, ELSEWHERE):
        step.job.write(project).settle()
        yield


def in_kernel(project: Project, step: Step) -> Path:
    """The folder that a model's notebook works on."""
    with under(project, step):
        session = VlmSession.open(**step.job.parameters)
        session.lock.release()
        return session.run.folder


@pytest.fixture
def planned(small: Project, monkeypatch: pytest.MonkeyPatch) -> tuple[Project, Step]:
    """A project whose base processing is done, and its model's step."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    base, vlm = steps(small)
    with under(small, base):
        session = BaseSession.open(**base.job.parameters)
        session.process()
    assert session.run.folder == base.job.run.folder
    return small, vlm


def test_threads_are_those_of_the_plan_wherever_the_notebook_runs(
    planned: tuple[Project, Step],
) -> None:
    project, vlm = planned
    assert "(3 threads, passive waiting)" in vlm.job.run.key_inputs["device"]
    assert in_kernel(project, vlm) == vlm.job.run.folder
    # By hand it is the run that belongs to the surroundings.
    with mock.patch.dict(os.environ, ELSEWHERE):
        by_hand = VlmSession.open(**vlm.job.parameters)
        by_hand.lock.release()
    assert by_hand.run.folder != vlm.job.run.folder
    assert "(5 threads, passive waiting)" in by_hand.run.key_inputs["device"]


def test_another_device_than_the_planned_one_is_one_line(
    planned: tuple[Project, Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, vlm = planned
    here = vlm.job.run.key_inputs["device"]
    name = f"{devices.cpu_name()}, which has a name that goes on for quite some time"
    monkeypatch.setattr(devices, "cpu_name", lambda: name)
    with pytest.raises(KairosError) as refused:
        in_kernel(project, vlm)
    told = str(refused.value)
    assert told.startswith(f"this run was planned for device: {here} → {name[:40]}")
    assert told.endswith(": plan it again on this machine")
    assert "\n" not in told


def test_what_cannot_be_told_apart_in_short_is_told_in_full(
    planned: tuple[Project, Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = planned
    monkeypatch.setattr(devices, "cpu_name", lambda: "a name of sixty characters or more" * 2)
    _, vlm = steps(project)
    with under(project, vlm), pytest.raises(KairosError, match=r"\(3 threads.* → .*\(2 threads"):
        os.environ["OMP_NUM_THREADS"] = "2"
        VlmSession.open(**vlm.job.parameters)


def test_base_processing_is_the_planned_one(planned: tuple[Project, Step]) -> None:
    project, vlm = planned
    profile = {"title": "P", "stages": ["scenes"], "scenes": {"thumbnail_px": 32}}
    write_parameters(project, "base", "plain", profile)
    with pytest.raises(KairosError) as refused:
        in_kernel(project, vlm)
    assert str(refused.value).startswith(
        "this run was planned for base.parameters.scenes.thumbnail_px: 96 → 32; base.stages.scenes:"
    )


def test_base_processing_that_is_gone_is_named(planned: tuple[Project, Step]) -> None:
    project, vlm = planned
    gone = {**vlm.job.run.key_inputs, "base": "0123456789abcdef"}
    with pytest.raises(KairosError, match=r"was planned with is not at .*/0123456789abcdef: plan"):
        in_kernel(project, replace(vlm, job=replace(vlm.job, run=Run(vlm.job.run.folder, gone))))


def test_a_damaged_key_is_written_again_by_the_next_bench(planned: tuple[Project, Step]) -> None:
    project, vlm = planned
    vlm.job.run.create()
    vlm.job.run.file("key.json").write_text("{")
    assert in_kernel(project, vlm) == vlm.job.run.folder
