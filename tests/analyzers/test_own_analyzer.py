"""An analyzer of one's own is one file, in any folder: all of Kairos takes it by its name."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import fill, make_project, short_report, tiny_model, write_parameters

from kairos_lib.project import Project

pytestmark = pytest.mark.services

SOURCE = '''
"""Brightness: how light a scene is."""

from typing import ClassVar

from pydantic import Field

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class BrightnessSettings(Settings):
    frames_per_second: float = Field(2.0, gt=0)


class Brightness(Record):
    scene: int
    time_s: float
    mean: float


class Analyzer(Stage):
    name: ClassVar[str] = "brightness"
    version: ClassVar[int] = 1
    record: ClassVar[type[Brightness]] = Brightness
    settings: ClassVar[type[Settings]] = BrightnessSettings
    placed: ClassVar[bool] = True
    heading: ClassVar[str] = "Light & shade"
    filter_title: ClassVar[str] = "Light"

    @classmethod
    def prompt_line(cls, records):
        return f"Brightness: {round(max(one.mean for one in records))}" if records else ""

    @classmethod
    def labels(cls, records):
        return ["dark" if max(one.mean for one in records) < 85 else "bright"]

    @classmethod
    def view(cls, records):
        return f"{len(records)} frames, <b>none</b> of them dark"

    def frames_per_second(self):
        return self.context.profile.brightness.frames_per_second

    def run(self):
        for frame in self.frames:
            image = frame.image(longest_px=32)
            yield Brightness(scene=-1, time_s=frame.time_s, mean=float(image.mean()))
'''
CONTEXT = ["brightness", "speech"]
Answer = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analyzers")
    (folder / "brightness.py").write_text(SOURCE)
    return folder


def kairos(project: Project, folder: Path | None, *arguments: str) -> Answer:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", *arguments],
        cwd=project.root,
        env={**os.environ, "KAIROS_ANALYZERS": str(folder or "")},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def benched(
    tmp_path_factory: pytest.TempPathFactory,
    clip: Path,
    llava_weights: Path,
    forecasts: Path,
    folder: Path,
) -> tuple[Project, Answer]:
    project = make_project(tmp_path_factory.mktemp("own") / "project")
    fill(project, clip, llava_weights, forecasts)
    prompt = {"instruction": "What is it?", "context": CONTEXT}
    write_parameters(
        project, "models", "tiny", tiny_model(llava_weights, prompt=prompt, base="light")
    )
    light = {"title": "L", "stages": ["brightness"], "brightness": {"frames_per_second": 4.0}}
    write_parameters(project, "base", "light", light)
    write_parameters(
        project, "suites", "one", {"title": "One", "models": ["tiny"], "videos": ["twelve"]}
    )
    short_report(project)
    return project, kairos(project, folder, "bench", "--suite", "one")


def of_notebooks(plan: Answer) -> list[str]:
    """What is said of notebooks; free memory, which comes after them, is another at any moment."""
    lines = plan.stdout.splitlines()
    return lines[: 1 + next(n for n, line in enumerate(lines) if "then the report" in line)]


def fused(project: Project) -> list[dict[str, object]]:
    (path,) = project.runs.glob("vlm/tiny/twelve/*/r001/fused.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_runs_with_its_own_settings_and_its_records_have_their_scenes(
    benched: tuple[Project, Answer],
) -> None:
    project, answer = benched
    assert answer.returncode == 0, answer.stderr
    (path,) = project.runs.glob("base/twelve/*/brightness.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == pytest.approx(12 * 4, abs=2)
    assert {record["scene"] for record in records} == set(range(12))


def test_a_model_is_told_of_it(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    for scene in fused(project):
        first, *rest = str(scene["prompt"]).splitlines()
        assert first.startswith("Brightness: ")
        assert rest == ["What is it?"]
        assert scene["brightness"]


def test_the_report_shows_it_under_its_heading(benched: tuple[Project, Answer]) -> None:
    """As words: what an analyzer says is no HTML by itself."""
    project, _ = benched
    page = (project.reports / "one" / "index.html").read_text()
    shown = re.findall(r"<dt>Light &amp; shade</dt><dd>(.*?)</dd>", page)
    assert len(shown) == 12
    assert set(shown) <= {f"{n} frames, &lt;b&gt;none&lt;/b&gt; of them dark" for n in (3, 4, 5)}


def test_the_report_can_be_filtered_by_its_labels(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    page = (project.reports / "one" / "index.html").read_text()
    assert re.search(r'<label>Light<select [^>]*name="brightness">', page)
    labels = [json.loads(one)["brightness"] for one in re.findall("data-labels='(.*?)'", page)]
    assert len(labels) == 12
    assert {label for (label,) in labels} == {"dark", "bright"}


def test_it_is_in_base_data_and_in_what_is_exported(
    benched: tuple[Project, Answer], folder: Path, tmp_path: Path
) -> None:
    project, _ = benched
    (path,) = project.runs.glob("base/twelve/*/base_data.json")
    assert all(scene["brightness"] for scene in json.loads(path.read_text())["scenes"])
    options = ("--suite", "one", "--format", "json", "--out", str(tmp_path))
    answer = kairos(project, folder, "export", *options)
    assert answer.returncode == 0, answer.stderr
    (written,) = tmp_path.rglob("*.json")
    assert all(scene["brightness"] for scene in json.loads(written.read_text())["scenes"])


def test_another_setting_is_another_run_in_the_plan(
    benched: tuple[Project, Answer], folder: Path
) -> None:
    project, _ = benched
    before = kairos(project, folder, "plan", "--suite", "one").stdout
    assert "nothing changed" in before
    light = {"title": "L", "stages": ["brightness"], "brightness": {"frames_per_second": 2.0}}
    write_parameters(project, "base", "dim", light)
    changed = kairos(project, folder, "plan", "--suite", "one", "--base", "dim").stdout
    assert "changed: parameters" in changed or "never run" in changed


def test_a_model_that_is_told_of_what_is_not_there_is_one_line(
    benched: tuple[Project, Answer], folder: Path
) -> None:
    project, _ = benched
    answer = kairos(project, None, "plan", "--suite", "one", "--base", "default")
    assert answer.returncode
    assert "model tiny, prompt.context: unknown analyzer 'brightness'" in answer.stderr
    answer = kairos(project, None, "plan", "--suite", "one")
    assert answer.returncode
    assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("brightness", "class Analyzer(:", "cannot be imported: SyntaxError"),
        ("brightness", "import nothing_of_the_kind\nclass Analyzer: pass", "ModuleNotFoundError"),
        ("light", SOURCE, "its analyzer is called 'brightness', unlike its file"),
        ("scenes", SOURCE, "two analyzers are called 'scenes': rename"),
    ],
)
def test_one_that_cannot_be_used_is_one_line(
    benched: tuple[Project, Answer], tmp_path: Path, name: str, source: str, told: str
) -> None:
    project, _ = benched
    (tmp_path / f"{name}.py").write_text(source)
    answer = kairos(project, tmp_path, "plan", "--suite", "one")
    assert answer.returncode
    assert len(answer.stderr.strip().splitlines()) == 1
    assert told in answer.stderr


def test_a_folder_of_analyzers_that_is_not_there_is_one_line(
    benched: tuple[Project, Answer], tmp_path: Path
) -> None:
    project, _ = benched
    answer = kairos(project, tmp_path / "nowhere", "plan", "--suite", "one")
    assert answer.returncode
    assert answer.stderr.startswith("kairos: KAIROS_ANALYZERS names '")
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_model_cannot_be_told_of_what_has_nothing_to_tell(
    benched: tuple[Project, Answer], folder: Path
) -> None:
    project, _ = benched
    weights = {"source": "path", "id": "weights"}
    prompt = {"instruction": "What is it?", "context": ["vad"]}
    told = {"title": "V", "family": "llava_next", "weights": weights, "prompt": prompt}
    write_parameters(project, "models", "deaf", {**told, "base": "light"})
    answer = kairos(project, folder, "plan", "--model", "deaf", "--video", "twelve")
    assert answer.returncode
    assert "model deaf, prompt.context: 'vad' adds nothing to a prompt" in answer.stderr


def test_one_that_does_not_run_changes_no_run(
    benched: tuple[Project, Answer], folder: Path, tmp_path: Path
) -> None:
    """What was found before somebody put an analyzer into the house is found still."""
    project, _ = benched
    tmp_path.joinpath("dim.py").write_text(SOURCE.replace('"brightness"', '"dim"'))
    both = Path(f"{folder}{os.pathsep}{tmp_path}")
    one, two = (kairos(project, each, "plan", "--suite", "one") for each in (folder, both))
    assert "cached" in one.stdout
    assert of_notebooks(two) == of_notebooks(one)
