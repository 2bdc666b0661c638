from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.media.scene import Scene
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from workshop.nano import make, score, score_ast, score_scenes
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed


def written(folder: Path, stage: str, records: list[Record]) -> None:
    Journal(folder / f"{stage}.jsonl", type(records[0])).write_all(iter(records))


def found_scenes(truth: ClipTruth, shift_s: float = 0.0) -> list[Record]:
    inner = [cut.time_s + shift_s for cut in truth.cuts]
    bounds = [0.0, *inner, truth.duration_s]
    return [Scene(index=i, start_s=a, end_s=b) for i, (a, b) in enumerate(pairwise(bounds))]


@pytest.fixture
def demo(tmp_path: Path) -> Processed:
    truth = ClipTruth.of_demo("demo-match")
    return Processed(CLIPS / "demo-match.mp4", truth, tmp_path)


@pytest.mark.parametrize(("shift_s", "share"), [(0.0, 1.0), (0.04, 1.0), (-0.08, 0.0)])
def test_a_cut_counts_within_one_frame(demo: Processed, shift_s: float, share: float):
    written(demo.folder, "scenes", found_scenes(demo.truth, shift_s))
    assert [line.value for line in score_scenes.lines([demo])] == [share, share]


def test_a_cut_that_is_none_costs(demo: Processed):
    scenes = found_scenes(demo.truth)
    last = scenes[-1]
    assert isinstance(last, Scene)
    extra = last.model_copy(update={"index": len(scenes), "start_s": last.end_s - 0.5})
    written(demo.folder, "scenes", [*scenes, extra])
    found, true = score_scenes.lines([demo])
    assert (found.missed, true.missed) == (False, True)


def test_sounds_are_right_where_all_and_only_those_heard_are_said(demo: Processed):
    written(demo.folder, "scenes", found_scenes(demo.truth))
    events: list[Record] = []
    for index, scene in enumerate(demo.truth.scenes):
        heard = [s for s in scene.sounds if s not in ("speech", "silence")] or ["silence"]
        events += [SoundEvent(scene=index, label=label, score=0.9) for label in heard]
    written(demo.folder, "sounds", events)
    assert {line.value for line in score_ast.lines([demo])} == {1.0}
    written(
        demo.folder,
        "sounds",
        [SoundEvent(scene=i, label="siren", score=0.9) for i in range(len(demo.truth.scenes))],
    )
    exact, first, *_ = score_ast.lines([demo])
    sirens = sum("siren" in scene.sounds for scene in demo.truth.scenes)
    assert first.value == sirens / len(demo.truth.scenes)
    assert exact.missed


@pytest.mark.parametrize(("value", "code"), [(0.95, 0), (0.85, 1)])
def test_a_missed_target_fails_the_command(monkeypatch, value: float, code: int):
    line = Line("yolo", "mAP50", value, 0.9)
    monkeypatch.setattr(score, "PARTS", {"objects": lambda clips, profile: [line]})
    result = CliRunner().invoke(score.main, ["--clips", "0", "--only", "objects"])
    assert result.exit_code == code
    assert ("missed" in result.output) == bool(code)


def test_everything_is_made_clips_first():
    scripts = make.scripts()
    assert scripts[0] == "make_clips"
    assert {"train_yolo", "train_ast", "train_llava"} <= set(scripts[1:])
    refused = CliRunner().invoke(make.main, ["train_cat"])
    assert refused.exit_code == 1
    assert "no script 'train_cat'; there are make_clips" in refused.output
