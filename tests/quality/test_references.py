"""What captions are held against."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.projects import CHECKOUT, write_parameters

from kairos_lib.bench.execution import write_manifest
from kairos_lib.bench.plan import make_plan
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.nano.judge import SCENE
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.project import Project
from kairos_lib.quality.reference_captions import Reference, keep, kept, load, matched
from kairos_lib.runs.files import read_record
from kairos_lib.runs.manifest import Manifest


def spans(*ends: tuple[float, float]) -> list[Reference]:
    return [
        Reference(start_s=start, end_s=end, captions=(f"{start:g}-{end:g}",)) for start, end in ends
    ]


def chosen(scenes: list[tuple[float, float]], given: list[Reference]) -> dict[int, str]:
    made = [Scene(index=at, start_s=one, end_s=two) for at, (one, two) in enumerate(scenes)]
    return {at: span.captions[0] for at, span in matched(made, given).items()}


def test_a_scene_is_held_against_the_span_that_it_overlaps_most() -> None:
    assert chosen([(0, 4), (4, 10)], spans((5, 11), (0, 5))) == {0: "0-5", 1: "5-11"}


def test_a_scene_that_mostly_lies_elsewhere_has_no_reference() -> None:
    assert chosen([(0, 10)], spans((5.1, 20))) == {}
    assert chosen([(0, 10)], spans((5, 20))) == {0: "5-20"}
    assert chosen([(0, 10)], spans((10, 20))) == {}


def test_of_two_spans_overlapped_alike_the_earlier_counts() -> None:
    assert chosen([(0, 10)], spans((5, 10), (0, 5))) == {0: "0-5"}


def test_scenes_of_one_long_span_share_it_whatever_else_begins_meanwhile() -> None:
    scenes = [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    assert chosen(scenes, spans((0, 6), (2, 3))) == {0: "0-6", 1: "0-6", 2: "0-6"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "must be a JSON list of start_s, end_s and captions"),
        ("[", "must be a JSON list"),
        ("[]", "holds no entry"),
        ('[{"start_s": 0, "end_s": 1}]', "entry 1: captions: field required"),
        ('[{"start_s": 0, "end_s": 1, "captions": ["a"], "text": ""}]', "entry 1: text: extra"),
        ('[{"start_s": 3, "end_s": 1, "captions": ["a"]}]', "entry 1: start_s must be 0 or more"),
        ('[{"start_s": 0, "end_s": 1, "captions": []}]', "entry 1: captions must hold at least"),
        ('[{"start_s": 0, "end_s": 1, "captions": [" "]}]', "none empty"),
    ],
)
def test_a_wrong_file_of_references_is_one_line_with_the_entry(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(KairosError) as error:
        load(path, "videos/r.json")
    assert str(error.value).startswith("videos/r.json")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_references_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    video = Video(name="v", path=Path("v.mp4"), title="V", references=tmp_path / "none.json")
    with pytest.raises(KairosError, match=r"none\.json: cannot be read .* names it as its ref"):
        keep(Project(tmp_path), video)


def test_the_truth_of_a_synthetic_clip_is_its_reference(tmp_path: Path) -> None:
    project = Project(tmp_path)
    video = Video(name="m", path=Path("m.mp4"), title="M", truth=CLIPS / "demo-match.json")
    found = kept(project, keep(project, video))
    truth = ClipTruth.of_demo("demo-match")
    assert found is not None
    assert [span.captions for span in found.spans] == [(s.caption,) for s in truth.scenes]
    assert [SCENE.validate_python(span.world) for span in found.spans] == [
        scene.scene for scene in truth.scenes
    ]


def test_a_copy_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = tmp_path / "r.json"
    video = Video(name="v", path=Path("v.mp4"), title="V", references=path)

    def copy(caption: str) -> str:
        path.write_text(json.dumps([{"start_s": 0, "end_s": 2, "captions": [caption]}]))
        return keep(project, video)

    first = copy("A dog.")
    assert copy("A cat.") != first
    assert copy("A dog.") == first
    found = kept(project, first)
    assert found is not None
    assert found.source == "r.json"
    assert found.spans[0].captions == ("A dog.",)


def test_a_video_without_references_has_no_copy(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert keep(project, Video(name="v", path=Path("v.mp4"), title="V")) == ""
    assert kept(project, "") is None


def test_a_clip_with_a_truth_needs_no_references() -> None:
    values = {"name": "v", "path": "v.mp4", "title": "V", "truth": "t.json", "references": "r.json"}
    with pytest.raises(KairosError, match="leave one out"):
        validate(Video, values, "v.yaml")


def test_changed_references_make_a_new_report_and_run_no_model_again(project: Project) -> None:
    for kind, name in (("models", "nano"), ("base", "nano")):
        shutil.copy(CHECKOUT / "parameters" / kind / f"{name}.yaml", project.parameters / kind)
    written = project.root / "r.json"
    values: dict[str, object] = {"title": "M", "path": str(CLIPS / "demo-match.mp4")}
    write_parameters(project, "videos", "m", {**values, "references": "r.json"})
    suite = Suite(name="s", title="S", models=("nano",), videos=("m",))

    def planned(caption: str) -> tuple[list[str], list[str]]:
        written.write_text(json.dumps([{"start_s": 0, "end_s": 4, "captions": [caption]}]))
        plan = make_plan(project, suite)
        write_manifest(project, plan, {})
        manifest = read_record(project.runs / "suites" / "s.json", Manifest)
        assert manifest is not None
        folders = [step.job.run.folder.name for step in plan.steps]
        keys = [step.job.run.key for step in plan.steps]
        assert folders[0] == keys[0]
        return keys, [base.references for base in manifest.bases]

    keys, copies = planned("A dog.")
    changed_keys, changed_copies = planned("A cat.")
    assert keys == changed_keys
    assert copies != changed_copies
    found = kept(project, changed_copies[0])
    assert found is not None
    assert found.spans[0].captions == ("A cat.",)
    written.unlink()
    with pytest.raises(KairosError, match=r"r\.json: cannot be read"):
        make_plan(project, suite)
