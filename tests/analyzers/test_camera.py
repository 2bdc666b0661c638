"""How a camera moves, held against films of a camera whose every move is known."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.moves import SIZE, View, Walk, film, seen, shot, tinted
from helpers.projects import make_project, write_parameters

from kairos_lib.analyzers.camera import Analyzer as Camera
from kairos_lib.analyzers.camera.analyzer import CameraMove
from kairos_lib.analyzers.camera.settings import CameraSettings
from kairos_lib.analyzers.camera.stretches import HANDHELD, Track, stretches
from kairos_lib.analyzers.motion import Motion
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal

SECONDS = 1.2
PROFILE = {"title": "Plain", "stages": ["camera"], "scenes": {"thumbnail_px": 96}}


def looked_at(project: Project, video: Path) -> tuple[list[Motion], list[CameraMove]]:
    """What `motion` and `camera` find in a video."""
    write_parameters(project, "base", "plain", dict(PROFILE))
    session = BaseSession.open(str(video), "plain")
    session.process()
    motions = list(Journal(session.run.file("motion.jsonl"), Motion))
    return motions, list(Journal(session.run.file("camera.jsonl"), CameraMove))


def shaken(t: float) -> View:
    """A pan by a hand that shakes by some pixels, several times a second."""
    return View(
        1000 + 60 * t + 3 * np.sin(43 * t) + 2 * np.sin(29 * t + 1), 1000 + 3 * np.sin(37 * t)
    )


def with_object(image: np.ndarray, t: float) -> np.ndarray:
    """Something that passes in front, a sixth of the picture."""
    image, left = image.copy(), 60 + round(80 * t)
    image[80:290, left : left + 180] = 255 - tinted(seen(View(1500, 1500)), 0)[:210, :180]
    return image


MOVES = {
    "pan 60": (lambda t: View(1000 + 60 * t), None),
    "pan 200": (lambda t: View(1000 + 200 * t), None),
    "pan 600": (lambda t: View(500 + 600 * t), None),
    "tilt -80": (lambda t: View(y_px=1000 + 80 * t), None),
    "zoom 20": (lambda t: View(zoom=1.2**t), None),
    "roll 10": (lambda t: View(roll_deg=10 * t), None),
    "still": (lambda t: View(1500), None),
    "shaken pan 60": (shaken, None),
    "object before pan 60": (lambda t: View(1000 + 60 * t), with_object),
}


def elsewhere(path: Walk, number: int) -> Walk:
    """Above and below in turn, so that two shots show nothing of the same."""

    def moved(t: float) -> View:
        view = path(t)
        return replace(view, y_px=view.y_px + 450 * (-1) ** number)

    return moved


Found = tuple[list[Motion], list[CameraMove]]


@pytest.fixture(scope="module")
def all_moves(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is found in a film of all moves, one scene each."""
    root = tmp_path_factory.mktemp("moves")
    frames = itertools.chain.from_iterable(
        shot(elsewhere(path, number), SECONDS, number, change)
        for number, (path, change) in enumerate(MOVES.values())
    )
    video = film(root / "moves.mp4", frames)
    with pytest.MonkeyPatch.context() as patch:
        project = make_project(root / "project")
        patch.setenv("KAIROS_ROOT", str(project.root))
        patch.chdir(project.root)
        return looked_at(project, video)


@pytest.fixture(scope="module")
def film_of_moves(all_moves: Found) -> list[Motion]:
    """The motion of that film."""
    return all_moves[0]


@pytest.fixture(scope="module")
def moves(all_moves: Found) -> dict[str, CameraMove]:
    """The one stretch of each of its scenes."""
    assert [one.scene for one in all_moves[1]] == list(range(len(MOVES)))
    return dict(zip(MOVES, all_moves[1], strict=True))


@pytest.mark.parametrize(
    ("name", "pan", "tilt", "zoom", "roll"),
    [
        ("pan 60", 60, 0, 0, 0),
        ("pan 200", 200, 0, 0, 0),
        ("pan 600", 600, 0, 0, 0),
        ("tilt -80", 0, -80, 0, 0),
        ("zoom 20", 0, 0, 20, 0),
        ("roll 10", 0, 0, 0, 10),
        ("still", 0, 0, 0, 0),
        ("object before pan 60", 60, 0, 0, 0),
    ],
)
def test_a_move_has_its_speed(
    moves: dict[str, CameraMove], name: str, pan: float, tilt: float, zoom: float, roll: float
) -> None:
    """Within 1 % and 1 px/s of 640, 0.4 %/s and 0.2 °/s."""
    found = moves[name]
    assert found.pan_px_per_s == pytest.approx(pan, rel=0.01, abs=1)
    assert found.tilt_px_per_s == pytest.approx(tilt, rel=0.01, abs=1)
    assert found.zoom_percent_per_s == pytest.approx(zoom, abs=0.4)
    assert found.roll_deg_per_s == pytest.approx(roll, abs=0.2)
    assert found.pan_widths_per_s == pytest.approx(found.pan_px_per_s / SIZE[0])
    assert found.shake_px < 0.5


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("pan 200", ("pan right",)),
        ("tilt -80", ("tilt down",)),
        ("zoom 20", ("zoom in",)),
        ("roll 10", ("roll clockwise",)),
        ("still", ("still",)),
        ("shaken pan 60", ("pan right", "handheld")),
        ("object before pan 60", ("pan right",)),
    ],
)
def test_a_move_has_its_name(
    moves: dict[str, CameraMove], name: str, labels: tuple[str, ...]
) -> None:
    assert moves[name].labels == labels
    assert moves[name].moving == (labels != ("still",))


def test_a_stretch_is_as_long_as_its_scene(moves: dict[str, CameraMove]) -> None:
    assert moves["pan 600"].start_s == pytest.approx(2 * SECONDS)
    assert moves["pan 600"].end_s == pytest.approx(3 * SECONDS)


def test_shake_does_not_change_how_far_a_pan_gets(moves: dict[str, CameraMove]) -> None:
    """The hand's own displacement over the scene is part of it: 60 px/s within 6."""
    found = moves["shaken pan 60"]
    assert found.pan_px_per_s == pytest.approx(60, abs=6)
    # The root mean square of three sines of 3, 2 and 3 pixels is 3.3.
    assert found.shake_px == pytest.approx(3.3, abs=1.2)


def test_a_cut_is_no_motion(moves: dict[str, CameraMove], film_of_moves: list[Motion]) -> None:
    cuts_s = [number * SECONDS for number in range(1, len(MOVES))]
    across = [
        one for one in film_of_moves for cut_s in cuts_s
        if one.time_s - one.gap_s < cut_s - 1e-3 <= one.time_s
    ]  # fmt: skip
    assert len(across) == len(cuts_s)
    assert all(one.movement is None for one in across)


def test_what_moves_by_itself_is_told_from_the_camera(film_of_moves: list[Motion]) -> None:
    """It covers a sixth of the picture and goes 140 px/s across a wall that goes the other way."""
    first_s = list(MOVES).index("object before pan 60") * SECONDS
    own = [one for one in film_of_moves if one.time_s - one.gap_s >= first_s]
    assert np.mean([one.subject_share for one in own]) == pytest.approx(0.2, abs=0.08)
    speeds = [one.subject_widths_per_s * SIZE[0] for one in own]
    assert np.mean(speeds) == pytest.approx(140, rel=0.15)
    still_s = list(MOVES).index("still") * SECONDS
    rest = [one for one in film_of_moves if 0 < one.time_s - one.gap_s - still_s < 1]
    assert max(one.subject_share for one in rest) < 0.01


def test_a_scene_is_cut_where_its_movement_changes(project: Project, tmp_path: Path) -> None:
    def path(t: float) -> View:
        return View(700 + 300 * min(max(t - 1.2, 0), 1), zoom=1.3 ** max(0, t - 2.2))

    _, found = looked_at(project, film(tmp_path / "one.mp4", shot(path, 3.6)))
    assert [one.labels for one in found] == [("still",), ("pan right",), ("zoom in",)]
    assert [one.start_s for one in found] == pytest.approx([0, 1.2, 2.2], abs=0.11)
    assert [one.end_s for one in found] == pytest.approx([1.2, 2.2, 3.6], abs=0.11)
    assert found[1].pan_px_per_s == pytest.approx(300, rel=0.05)


def test_a_stretch_of_a_long_take_is_held_by_hand_if_it_shakes_by_itself() -> None:
    """With short gaps in what could be measured, and shake that comes and goes."""
    random = np.random.default_rng(2)
    start_s = np.arange(900) * 0.1 + np.cumsum((random.random(900) < 0.05) * 0.3)
    shaking, panning = np.repeat(random.random((2, 15, 1)) < 0.5, 60, axis=1)
    speed = shaking * random.normal(0, (0.1, 0.1, 0.002, 0.1), (900, 4))
    speed[:, :1] += 0.2 * panning
    settings = CameraSettings()
    found = list(stretches(Track(start_s, start_s + 0.1, speed), settings))
    held = [one.track.shake() > settings.shake_widths for one in found]
    assert [HANDHELD in one.labels for one in found] == held
    assert {True, False} == set(held)
    assert sum(len(one.track.start_s) for one in found) == 900


RANDOM = np.random.default_rng(4)
SMALL = (90, 160)
ODD = {
    "black": lambda n: np.zeros(SMALL, np.uint8),
    "one colour": lambda n: np.full(SMALL, 90, np.uint8),
    "white noise": lambda n: RANDOM.integers(0, 256, SMALL, dtype=np.uint8),
    "dark noise": lambda n: RANDOM.integers(0, 12, SMALL, dtype=np.uint8),
    "light that flickers": lambda n: np.full(SMALL, 40 + 170 * (n % 2), np.uint8),
    "stripes that move along": lambda n: np.tile(
        (127 + 100 * np.sin((np.arange(SMALL[1]) + n) / 7)).astype(np.uint8), (SMALL[0], 1)
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_nothing_is_said_of_a_picture_that_shows_no_movement(
    project: Project, tmp_path: Path, name: str
) -> None:
    frames = [ODD[name](number) for number in range(40)]
    motions, found = looked_at(project, film(tmp_path / "odd.mp4", frames))
    assert len(motions) == 16
    assert [one.movement for one in motions] == [None] * 16
    assert found == []


@pytest.mark.parametrize(("frames", "records"), [(1, 1), (2, 1), (4, 2)])
def test_a_video_of_a_few_frames_has_what_it_has(
    project: Project, tmp_path: Path, frames: int, records: int
) -> None:
    path = film(tmp_path / "short.mp4", list(shot(lambda t: View(), frames / 25)))
    motions, found = looked_at(project, path)
    assert len(motions) == records
    assert motions[0].movement is None
    assert [one.labels for one in found] == [("still",)] * (records - 1)


@pytest.mark.parametrize("size", [(256, 24), (24, 256), (16, 16), (640, 48)])
def test_a_strange_shape_is_no_crash(
    project: Project, tmp_path: Path, size: tuple[int, int]
) -> None:
    """OpenCV's flow would end the process."""
    frames = [RANDOM.integers(0, 256, size[::-1], dtype=np.uint8) for _ in range(8)]
    motions, found = looked_at(project, film(tmp_path / "odd.mp4", frames))
    assert len(motions) == 3
    assert found == []


def test_speeds_are_right_at_a_variable_frame_rate(project: Project, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    ticks = np.cumsum(random.choice([20, 33, 40, 90, 200], 40)).tolist()
    frames = [seen(View(500 + 200 * (tick - ticks[0]) / 1000)) for tick in ticks]
    _, (found,) = looked_at(project, film(tmp_path / "vfr.mkv", frames, ticks=ticks))
    assert found.labels == ("pan right",)
    assert found.pan_px_per_s == pytest.approx(200, rel=0.01)


def test_a_fade_is_no_movement(project: Project, tmp_path: Path) -> None:
    frames = shot(lambda t: View(), 2.0, change=lambda image, t: (image * (1 - t / 2)).astype("u1"))
    motions, (found,) = looked_at(project, film(tmp_path / "fade.mp4", frames))
    assert found.labels == ("still",)
    light = [one.brightness for one in motions]
    assert light == sorted(light, reverse=True)


def test_it_is_told_in_words_marks_and_figures(moves: dict[str, CameraMove]) -> None:
    pan, shaken_pan = moves["pan 200"], moves["shaken pan 60"]
    assert Camera.prompt_line([moves["still"], pan]) == "Camera: still, then pan right"
    assert Camera.view([pan]) == "pan right (200 px/s, 31% of the width)"
    assert Camera.labels([pan, shaken_pan]) == ["pan right", "handheld"]
    (mark,) = Camera.marks([pan])
    assert (mark.text, mark.start_s) == ("pan right", pytest.approx(SECONDS))
    assert Camera.figures(list(moves.values()))["Camera moves"] == "89% of the time"
    assert Camera.figures([]) == {}
    assert Camera.prompt_line([]) == ""


def test_things_before_a_plain_background_are_not_the_camera(
    project: Project, tmp_path: Path
) -> None:
    def things(n: int) -> np.ndarray:
        image = np.full(SMALL, 110, np.uint8)
        for top, left in ((10, 10 + 2 * n), (50, 30 + 2 * n)):
            image[top : top + 20, left : left + 20] = seen(View(), (20, 20))
        return image

    video = film(tmp_path / "things.mp4", [things(number) for number in range(30)])
    motions, found = looked_at(project, video)
    assert [one.movement for one in motions] == [None] * 12
    assert found == []
