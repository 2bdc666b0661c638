from pathlib import Path

import numpy as np
import pytest
from helpers.clips import COLOURS, write_clip
from helpers.projects import PLAIN_BASE, write_parameters
from PIL import Image
from scenedetect import FrameTimecode

from kairos_lib.analyzers.scenes import _detector as find_detector
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal


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


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 0.0), (0.5, 2.0, -1.0, 0.0), (1, 1, 1, 1)])
@pytest.mark.parametrize("name", ["content", "adaptive"])
def test_frames_are_scored_as_pyscenedetect_scores_them(
    name: str, weights: tuple[float, float, float, float]
) -> None:
    from scenedetect import detectors

    theirs = {"content": detectors.ContentDetector, "adaptive": detectors.AdaptiveDetector}[name]
    parameters = {"weights": detectors.ContentDetector.Components(*weights)}
    own, reference = find_detector(name, parameters, 0.6), theirs(**parameters)
    random = np.random.default_rng(7)
    frame = random.integers(0, 256, (189, 336, 3), dtype=np.uint8)
    for number in range(20):
        noise = random.integers(-40, 40, frame.shape)
        frame = np.clip(frame.astype(int) + noise, 0, 255).astype(np.uint8)
        at = FrameTimecode(number, 25.0)
        # To the last bit: a score next to the threshold is a cut in both or in neither.
        assert own._calculate_frame_score(at, frame) == reference._calculate_frame_score(at, frame)


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
