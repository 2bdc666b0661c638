from pathlib import Path

import pytest
from helpers.clips import COLOURS, write_clip
from helpers.projects import PLAIN_BASE, write_parameters
from PIL import Image

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.records import BaseResult, Scene
from kairos_lib.runs import Journal
from kairos_lib.stages.session import BaseSession


def scenes_of(project: Project, video: Path, **settings: object) -> list[Scene]:
    profile = {**PLAIN_BASE, "scenes": {"thumbnail_px": 96, **settings}}
    write_parameters(project, "base", "plain", profile)
    session = BaseSession.open(str(video), "plain")
    session.process()
    return list(Journal(session.run.file("scenes.jsonl"), Scene))


@pytest.mark.parametrize("detector", ["content", "adaptive"])
def test_every_cut_is_found_at_its_frame(project: Project, clip: Path, detector: str) -> None:
    scenes = scenes_of(project, clip, detector=detector)
    assert [s.start_s for s in scenes] == pytest.approx([float(n) for n in range(12)])


def test_scenes_cover_the_video_without_gaps(project: Project, clip: Path) -> None:
    scenes = scenes_of(project, clip)
    assert scenes[0].start_s == 0
    assert [s.end_s for s in scenes[:-1]] == [s.start_s for s in scenes[1:]]
    assert scenes[-1].end_s == pytest.approx(12.0)


def test_a_video_without_a_cut_is_one_scene(project: Project, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "one.mp4", COLOURS[:1], tone=False)
    assert [(s.start_s, s.end_s) for s in scenes_of(project, video)] == [(0, pytest.approx(1.0))]


def test_a_single_frame_is_one_scene(project: Project, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "one.mp4", COLOURS[:1], seconds_each=0.1, tone=False)
    (scene,) = scenes_of(project, video)
    assert scene.end_s == pytest.approx(0.1)


def test_thumbnails_show_their_own_scene(project: Project, clip: Path) -> None:
    scenes = scenes_of(project, clip)
    folder = next(project.runs.glob("base/*/*/thumbnails"))
    for scene, colour in zip(scenes, COLOURS, strict=True):
        for name in scene.thumbnails:
            with Image.open(folder / name) as image:
                assert max(image.size) == 96
                shown = image.getpixel((48, 45))
            assert shown == pytest.approx(colour, abs=16)


def test_a_parameter_the_detector_does_not_know_is_one_line(project: Project, clip: Path) -> None:
    with pytest.raises(KairosError, match=r"scenes.parameters: .*'treshold'"):
        scenes_of(project, clip, parameters={"treshold": 20})


def test_the_length_in_the_result_is_that_of_the_frames(project: Project, clip: Path) -> None:
    scenes_of(project, clip)
    session = BaseSession.open(str(clip), "plain")
    result = session.run.result(BaseResult)
    assert result is not None
    assert result.facts.duration_s == pytest.approx(12.0)
    assert result.scenes == 12
