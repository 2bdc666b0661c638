"""How a camera moves, held against films of a camera whose every move is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.moves import SIZE, View, film, seen, shot, tinted
from helpers.projects import make_project, write_parameters

from kairos_lib.analyzers.camera.analyzer import CameraMove
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
    "still": (lambda t: View(), None),
    "shaken pan 60": (shaken, None),
    "object before pan 60": (lambda t: View(1000 + 60 * t), with_object),
}


@pytest.fixture(scope="module")
def moves(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CameraMove]:
    """The one stretch of each scene of a film of all moves."""
    root = tmp_path_factory.mktemp("moves")
    frames = itertools.chain.from_iterable(
        shot(path, SECONDS, tint, change) for tint, (path, change) in enumerate(MOVES.values())
    )
    video = film(root / "moves.mp4", frames)
    with pytest.MonkeyPatch.context() as patch:
        project = make_project(root / "project")
        patch.setenv("KAIROS_ROOT", str(project.root))
        patch.chdir(project.root)
        _, found = looked_at(project, video)
    assert [one.scene for one in found] == list(range(len(MOVES))), found
    return dict(zip(MOVES, found, strict=True))


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
