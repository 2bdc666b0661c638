"""What the report says of the hardware that models need."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
import yaml
from helpers.architectures import small
from helpers.projects import CHECKOUT, tiny_model
from helpers.suites import SuiteMaker

from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.measure.usage import Resources
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.report.sections.hardware import hardware
from kairos_lib.results import suite
from kairos_lib.runs.files import write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm import forecast
from kairos_lib.vlm.context import longest_prompt
from kairos_lib.vlm.forecast import Forecast
from kairos_lib.weights.location import find

# 7,000 M parameters, 6,000 of which are packed. With the 8 tokens of a caption, 1,250 in all.
SEVEN = Forecast(
    parameters_millions=7000, packed_millions=6000, cached_per_token=51200, prompt_tokens=1242,
    visual_tokens=1000,
)  # fmt: skip
PROMPT = "Describe the scene."


@pytest.fixture(autouse=True)
def _no_model_is_built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not remembered fails; the one test that builds a model says so."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a model was built")

    if "builds" not in request.node.name:
        monkeypatch.setattr(subprocess, "run", refuse)


def write_model(maker: SuiteMaker, name: str = "small", **changes: object) -> Model:
    """A model's file and what goes for its weights."""
    weights = maker.project.root / "weights"
    weights.mkdir(exist_ok=True)
    (weights / "model.safetensors").write_text("weights")
    folder = maker.project.parameters / "models"
    folder.mkdir(exist_ok=True)
    values = tiny_model(Path("weights"), dtype="float16", **changes)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    return load(maker.project, Model, name)


def remember(
    maker: SuiteMaker, model: Model, found: Forecast = SEVEN, prompt: str = PROMPT
) -> None:
    """A forecast that was made before, of a video of 640×360."""
    weights = find(maker.project, model.weights)
    path = forecast.place(maker.project, model, weights, (640, 360), prompt)
    write_record(path, found)


def shown(maker: SuiteMaker) -> str:
    found = hardware(suite.read(maker.write(), "demo"))
    assert found is not None
    return str(found.markup)


def rows(page: str, title: str) -> list[list[str]]:
    """The cells of the table of a title, as they are read."""
    table = next(table for table in page.split("<table>") if f"<caption>{title}" in table)
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    return [
        [
            " ".join(unescape(re.sub("<[^>]*>", " ", cell)).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in body.split("<tr>")[1:]
    ]


def test_the_size_of_a_model_is_told_at_each_precision(maker: SuiteMaker) -> None:
    remember(maker, write_model(maker))
    maker.base()
    maker.done(resources=Resources())
    (row,) = rows(shown(maker), "What each model needs, computed")
    assert row[:12] == [
        "Small", "7.0 B",
        "26.1 GiB",  # 7,000 M in 32 bits
        "13.0 GiB",  # 7,000 M in 16 bits
        "7.5 GiB",  # 1,000 M in 16 bits, 6,000 M in 8
        "5.0 GiB",  # 1,000 M in 16 bits, 6,000 M in 4.5
        "122 MiB", "977 MiB", "3.8 GiB",  # 1,250 tokens of 51,200 numbers
        "1,242", "1,000", "— not measured",
    ]  # fmt: skip


def test_each_gpu_has_room_for_as_many_scenes_as_fit_beside_the_weights(maker: SuiteMaker) -> None:
    remember(maker, write_model(maker))
    maker.base()
    maker.done()
    found = rows(shown(maker), "Which GPUs have room")
    assert found == [
        # 8, 12, 16, 24, 40, 48 and 80 GiB; nine tenths of each can be used.
        ["Small", "16 bits (this suite)", "— no", "— no", "8", "32", "32", "32", "32"],
        ["Small", "int8", "— no", "8", "32", "32", "32", "32", "32"],
        ["Small", "nf4", "8", "32", "32", "32", "32", "32", "32"],
    ]


def test_a_precision_of_its_own_is_a_row_of_its_own(maker: SuiteMaker) -> None:
    model = write_model(maker).model_copy(update={"dtype": "float32", "quantisation": "nf4"})
    folder = maker.project.parameters / "models" / "small.yaml"
    values = yaml.safe_load(folder.read_text()) | {"dtype": "float32", "quantisation": "nf4"}
    folder.write_text(yaml.safe_dump(values))
    # Of another precision, it is the same forecast.
    remember(maker, model.model_copy(update={"dtype": "float16", "quantisation": "none"}))
    maker.base()
    maker.done()
    found = rows(shown(maker), "Which GPUs have room")
    assert [row[1] for row in found] == [
        "nf4, rest in 32 bits (this suite)", "16 bits", "int8", "nf4",
    ]  # fmt: skip


def test_the_measured_peak_stands_beside_what_was_computed(maker: SuiteMaker) -> None:
    remember(maker, write_model(maker))
    maker.base()
    for repeat, peak_mib in enumerate((9216, 10240), start=1):
        maker.done(repeat=repeat, resources=Resources(samples=9, peak_vram_mib=peak_mib))
    (row,) = rows(shown(maker), "What each model needs, computed")
    assert row[11] == "10.0 GiB VRAM; 16 bits, batch of 4"


def test_without_a_gpu_the_measured_peak_is_of_ram(maker: SuiteMaker) -> None:
    remember(maker, write_model(maker))
    maker.base()
    maker.done(resources=Resources(samples=9, peak_ram_mib=2048))
    (row,) = rows(shown(maker), "What each model needs, computed")
    assert row[11] == "2.0 GiB RAM, no GPU; 16 bits, batch of 4"


def test_a_run_tells_its_own_parameters_when_their_file_has_changed(maker: SuiteMaker) -> None:
    model = write_model(maker)
    remember(maker, model)
    maker.base()
    folder = maker.done()
    parameters = model.model_dump(mode="json", exclude={"name": True, "title": True})
    del parameters["weights"]["id"]
    (folder / "key.json").write_text(json.dumps({"parameters": parameters}))
    write_model(maker, frames={"longest_px": 1344})
    assert rows(shown(maker), "What each model needs, computed")[0][9] == "1,242"


def test_a_model_whose_parameters_are_gone_is_listed_with_the_reason(maker: SuiteMaker) -> None:
    remember(maker, write_model(maker, "kept"))
    maker.base()
    maker.done("kept", "Kept")
    maker.done("gone", "Gone <b>")
    page = shown(maker)
    assert [row[0] for row in rows(page, "What each model needs, computed")] == ["Kept"]
    ((name, why),) = rows(page, "Models without a forecast")
    assert (name, why[:48]) == ("Gone <b>", "its parameters cannot be determined any more: un")
    assert "Gone <b>" not in page


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({"source": "server", "id": "gpt"}, "a server runs it"),
        ({"source": "hub", "id": "nobody/nothing"}, "its weights are not here, and no desc"),
    ],
)
def test_a_model_without_a_forecast_says_why(
    maker: SuiteMaker, weights: dict[str, str], why: str
) -> None:
    maker.base()
    folder = maker.done()
    model = write_model(maker).model_dump(mode="json", exclude={"name": True, "title": True})
    (folder / "key.json").write_text(json.dumps({"parameters": {**model, "weights": weights}}))
    ((_, told),) = rows(shown(maker), "Models without a forecast")
    assert told.startswith(why)


def test_a_model_that_never_ran_is_told_of_as_its_file_has_it(maker: SuiteMaker) -> None:
    folder = maker.base()
    said = Segment(scene=1, start_s=11, end_s=12, text="The longest prompt is of this scene.")
    Journal(folder / "speech.jsonl", Segment).write_all(iter([said]))
    model = write_model(maker)
    (maker.project.root / "weights" / "model.safetensors").unlink()
    (maker.project.root / "weights").rmdir()
    maker.plan(problem="its weights are not here")
    assert "no description of its architecture" in shown(maker)
    # Somebody describes it.
    (maker.project.parameters / "architectures").mkdir()
    (maker.project.parameters / "architectures" / "small.yaml").write_text("config: {}")
    described = model.weights.model_copy(update={"source": "dummy", "id": "small"})
    prompt = longest_prompt(VideoFindings(folder), model.prompt)
    assert said.text in prompt
    remember(maker, model.model_copy(update={"weights": described}), prompt=prompt)
    assert rows(shown(maker), "What each model needs, computed")[0][12] == "its description"


def test_videos_of_unknown_size_are_the_reason(maker: SuiteMaker) -> None:
    write_model(maker)
    maker.plan(problem="its video could not be read")
    assert "base processing of its videos is not done" in shown(maker)


def test_a_suite_without_models_has_no_such_section(maker: SuiteMaker) -> None:
    assert hardware(suite.read(maker.write(), "demo")) is None


def test_a_forecast_builds_the_model_once_and_is_remembered(
    maker: SuiteMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = maker.project.parameters / "architectures"
    folder.mkdir()
    small(CHECKOUT / "parameters/architectures/llava.yaml", folder).rename(folder / "tiny.yaml")
    write_model(maker, "tiny", weights={"source": "dummy", "id": "tiny"})
    maker.base()
    maker.done("tiny", "Tiny")
    first = shown(maker)
    (row,) = rows(first, "What each model needs, computed")
    # The real geometry of the processor: a picture of the whole and of each tile, twice.
    assert int(row[10].replace(",", "")) > 2 * 576
    monkeypatch.setattr(subprocess, "run", None)
    assert shown(maker) == first
    assert len(list((maker.project.runs / "forecasts").iterdir())) == 1
