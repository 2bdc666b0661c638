"""Published figures of another machine stand beside ours where they are of the same thing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.cells import cells
from helpers.suites import SuiteMaker

from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.published_figures import PublishedFigures
from kairos_lib.project import Project
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections import stages, tables
from kairos_lib.results import suite

CHECKOUT = Path(__file__).resolve().parents[2]


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


@pytest.fixture
def published(maker: SuiteMaker) -> SuiteMaker:
    """With the checkout's own references."""
    folder = maker.project.parameters / "reference"
    shutil.copytree(CHECKOUT / "parameters" / "reference", folder)
    return maker


def test_what_was_published_holds_together() -> None:
    """A slip of the pen would show: a factor is time by length, and stages make up the whole."""
    known = load(Project(CHECKOUT), PublishedFigures, "l4")
    assert len(known.runs) == 12
    for run in known.runs:
        assert run.rtf == pytest.approx(run.vlm_time_min * 60 / run.length_s, abs=0.1)
    assert len(known.stages) == 4
    for one in known.stages:
        named = one.speech_min + one.sounds_min + one.objects_min
        assert round(one.total_min - named, 1) in (0.0, 0.1)
    lengths_s = {run.video: (run.length_s, run.scenes) for run in known.runs}
    assert all((run.length_s, run.scenes) == lengths_s[run.video] for run in known.runs)
    assert all(one.length_s == lengths_s[one.video][0] for one in known.stages)


def test_a_published_figure_stands_beside_the_same_model_and_video(published: SuiteMaker) -> None:
    published.base(video="pasta", title="Pasta", scenes=4, scene_s=82)
    published.done(model="phi35", title="Phi", video="pasta")
    published.done(model="other", title="Other", video="pasta")
    page = text(tables.end_to_end(suite.read(published.write(), "demo")))
    assert "NVIDIA L4, published" in page
    assert "RTF on another machine (one NVIDIA L4 GPU" in page
    assert "10.8x another machine, 59 scenes" in cells(page)
    assert page.count("59 scenes") == 1


@pytest.mark.parametrize(
    ("model", "video", "scene_s"),
    [("nano", "pasta", 82), ("phi35", "match", 82), ("phi35", "pasta", 60)],
)
def test_another_model_video_or_length_has_no_column(
    published: SuiteMaker, model: str, video: str, scene_s: float
) -> None:
    published.base(video=video, title="Pasta", scenes=4, scene_s=scene_s)
    published.done(model=model, title="Phi", video=video)
    assert "published" not in text(tables.end_to_end(suite.read(published.write(), "demo")))


def test_published_stages_stand_below_our_own(published: SuiteMaker) -> None:
    published.base(video="pasta", title="Pasta", scenes=4, scene_s=82)
    published.done(video="pasta")
    page = text(stages.stages(suite.read(published.write(), "demo")))
    assert "NVIDIA L4, published: the same videos on another machine" in page
    assert "19.8 min 88%" in cells(page)


def test_a_reference_that_is_wrong_is_one_line(published: SuiteMaker) -> None:
    published.base()
    published.done()
    project = published.write()
    (project.parameters / "reference" / "l4.yaml").write_text("title: L4\nruns: some\n")
    with pytest.raises(KairosError, match=r"parameters/reference/l4.yaml: ") as error:
        tables.end_to_end(suite.read(project, "demo"))
    assert "\n" not in str(error.value)
