"""Suites whose models are changed, and models without weights, through the public door."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.architectures import small
from helpers.projects import CHECKOUT, fill, make_project, tiny_model, write_parameters

from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.project import Project
from kairos_lib.report.sections.variants import similarity
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.manifest import Manifest
from kairos_lib.vlm.records import Caption, VlmResult

Answer = subprocess.CompletedProcess[str]
VARIANTS = {"long": {}, "short": {"generation": {"max_new_tokens": 3}}}


def kairos(project: Project, *arguments: str) -> Answer:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", *arguments],
        cwd=project.root,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path) -> Project:
    """A project whose model has an architecture, and a suite of two variants."""
    made = make_project(tmp_path_factory.mktemp("variants") / "project")
    fill(made, clip, llava_weights)
    folder = made.parameters / "architectures"
    folder.mkdir()
    small(CHECKOUT / "parameters/architectures/llava.yaml", folder).rename(folder / "tiny.yaml")
    write_parameters(made, "models", "auto", tiny_model(llava_weights, family="auto"))
    suite = {"title": "Two", "models": ["tiny"], "videos": ["twelve"], "variants": VARIANTS}
    write_parameters(made, "suites", "two", suite)
    return made


def result(project: Project, model: str) -> tuple[VlmResult, list[Caption]]:
    (folder,) = (project.runs / "vlm" / model / "twelve").glob("*/r001")
    found = read_record(folder / "result.json", VlmResult)
    assert found is not None
    return found, list(Journal(folder / "captions.jsonl", Caption))


@pytest.fixture(scope="module")
def benched(project: Project) -> Answer:
    """The suite of variants with dummy weights."""
    return kairos(project, "bench", "--suite", "two", "--weights", "dummy")


@pytest.mark.services
def test_a_model_without_its_weights_is_timed_at_its_size(
    project: Project, benched: Answer
) -> None:
    assert benched.returncode == 0, benched.stderr
    found, captions = result(project, "tiny-long-dummy")
    assert found.weights_source == "dummy"
    assert [caption.new_tokens for caption in captions] == [8] * 12
    # The real geometry of the processor: a picture of the whole and of each tile, twice.
    assert captions[0].visual_tokens > 2 * 576


@pytest.mark.services
def test_each_variant_is_a_model_of_its_own(project: Project, benched: Answer) -> None:
    _, captions = result(project, "tiny-short-dummy")
    assert [caption.new_tokens for caption in captions] == [3] * 12
    manifest = read_record(project.runs / "suites" / "two-dummy.json", Manifest)
    assert manifest is not None
    assert {run.variant_of for run in manifest.runs} == {"tiny-long-dummy"}


@pytest.mark.services
def test_the_report_says_what_each_variant_changed(project: Project, benched: Answer) -> None:
    page = (project.reports / "two-dummy" / "index.html").read_text()
    assert "Variants, compared with the first of them" in page
    assert "Tiny, short, dummy weights" in page
    assert "captions are noise" in page


@pytest.mark.services
def test_the_plan_says_what_each_model_needs(project: Project, benched: Answer) -> None:
    plan = kairos(project, "plan", "--suite", "two", "--weights", "dummy")
    assert plan.returncode == 0, plan.stderr
    needed = [line for line in plan.stdout.splitlines() if "M parameters" in line]
    assert [line.split(":")[0] for line in needed] == ["tiny-long-dummy", "tiny-short-dummy"]
    assert "unquantised (this run)" in needed[0]
    _, captions = result(project, "tiny-long-dummy")
    assert f"{captions[0].visual_tokens:,} of them visual" in plan.stdout
    assert f"{captions[0].prompt_tokens:,} tokens a scene (longest prompt)" in plan.stdout
    found, _ = result(project, "tiny-long-dummy")
    assert f"{found.parameters_millions:,.1f} M parameters" in plan.stdout
    assert "fits: weights and cache take" in plan.stdout


def test_a_suite_can_be_asked_of_other_models_and_videos(project: Project) -> None:
    suite = suite_of(project, BenchRequest(suite="two", model="auto", video="twelve"))
    plan = make_plan(project, suite)
    assert suite.name == "two-auto-twelve"
    assert [step.label for step in plan.vlms] == ["auto-long · twelve", "auto-short · twelve"]


def test_any_checkpoint_can_be_named_by_its_path(project: Project, llava_weights: Path) -> None:
    asked = BenchRequest(model_id=str(llava_weights), video="twelve")
    (step,) = make_plan(project, suite_of(project, asked)).vlms
    assert not step.missing_weights
    assert step.model is not None
    assert step.model.weights.id == str(llava_weights)
    assert step.job.parameters["model"] == "auto"


@pytest.mark.parametrize("missing", ["~/no/such/checkpoint", "/no/such", "./no/such", "a/b/c d"])
def test_a_mistyped_checkpoint_is_one_line(project: Project, missing: str) -> None:
    for command in ("bench", "fetch"):
        answer = kairos(project, command, "--model-id", missing, *VIDEO[command])
        assert answer.returncode == 2, answer.stderr
        assert len(answer.stderr.splitlines()) == 1
        assert missing in answer.stderr


VIDEO = {"bench": ("--video", "twelve"), "fetch": ()}


def test_a_checkpoint_that_is_not_here_says_how_to_get_it(project: Project) -> None:
    answer = kairos(project, "bench", "--model-id", "a/b", "--video", "twelve")
    assert answer.returncode == 2
    assert "run `make fetch MODEL_ID=a/b`" in answer.stderr


@pytest.mark.parametrize(
    ("variants", "line"),
    [
        ({"a b": {}}, "'variants.a b"),
        ({"a": {"batchsize": 3}}, "did you mean 'batch_size'"),
        ({"a": {"name": "../x"}}, "cannot be a name"),
    ],
)
def test_a_variant_that_cannot_be_is_one_line(
    project: Project, variants: dict[str, object], line: str
) -> None:
    suite = {"title": "X", "models": ["tiny"], "videos": ["twelve"], "variants": variants}
    write_parameters(project, "suites", "bad", suite)
    answer = kairos(project, "bench", "--suite", "bad")
    assert answer.returncode == 2
    assert line in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_texts_are_alike_by_their_words_in_order() -> None:
    assert similarity("a red circle", "a red circle") == 1.0
    assert similarity("a red circle", "a blue circle") == pytest.approx(2 / 3)
    assert similarity("a b", "c d") == 0.0
    assert similarity("a b", "a  b") < 1.0


@pytest.mark.services
def test_job_files_say_what_was_changed(project: Project, benched: Answer) -> None:
    (folder,) = (project.runs / "vlm" / "tiny-short-dummy" / "twelve").glob("*/r001")
    job = json.loads((folder / "job.json").read_text())
    assert job["parameters"]["model"] == "tiny"
    assert job["parameters"]["changes"]["generation"] == {"max_new_tokens": 3}
