"""Faces: what is said of boxes, angles and ages that are known, without any weights."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kairos_lib.analyzers.faces import Analyzer, detector
from kairos_lib.analyzers.faces.analyzer import FacesSettings
from kairos_lib.analyzers.faces.detector import INPUT_PX, STRIDE_PX, Detector
from kairos_lib.analyzers.faces.detector import POINTS as POINTS_OF_A_FACE
from kairos_lib.analyzers.faces.face import Face, people
from kairos_lib.analyzers.faces.mesh import POINTS, RIGID_CM, pose
from kairos_lib.analyzers.faces.nets import Crop
from kairos_lib.analyzers.faces.tracks import LOST_S, Tracks
from kairos_lib.errors import KairosError


def face(time_s: float, track: int = 0, in_frame: int = 1, **more: object) -> Face:
    values = {"scene": 0, "box": (0.1, 0.2, 0.3, 0.6), "score": 0.9, "width_px": 100.0, **more}
    return Face.model_validate({"time_s": time_s, "track": track, "in_frame": in_frame, **values})


def turned(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """A mesh of the canonical face, turned about the picture's axes: up, right, and into it."""
    yaw, pitch, roll = np.radians([-yaw_deg, -pitch_deg, roll_deg])
    about_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    about_y = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    about_z = np.array(
        [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    )
    points = np.zeros((POINTS, 3))
    points[list(RIGID_CM)] = np.array(list(RIGID_CM.values())) * (1, -1, -1)
    return 7 * points @ (about_z @ about_y @ about_x).T + (300, 200, 0)


@pytest.mark.parametrize("angle", [-50.0, -10.0, 0.0, 35.0])
def test_a_turned_head_has_its_angles(angle: float) -> None:
    for axis in range(3):
        angles = [0.0, 0.0, 0.0]
        angles[axis] = angle
        found = pose(turned(*angles))
        assert (found.yaw_deg, found.pitch_deg, found.roll_deg) == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("roll_deg", "side"), [(0, 120), (30, 200), (-50, 300)])
def test_a_point_of_a_crop_is_found_again_in_the_picture(
    roll_deg: float, side: float, mirrored: bool
) -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[140:144, 220:224] = 255
    crop = Crop(np.array([200.0, 150.0]), side, math.radians(roll_deg), 192, mirrored)
    bright = np.clip(crop.of(picture)[:, :, 0].astype(float) - 130, 0, None)
    y, x = np.mgrid[:192, :192] + 0.5
    seen = np.array([[(x * bright).sum(), (y * bright).sum()]]) / bright.sum()
    assert crop.back(seen)[0] == pytest.approx((222, 142), abs=0.5)
    # Right of the middle in the picture: left of it in a mirrored crop.
    upright = Crop(np.array([200.0, 150.0]), side, 0, 192, mirrored)
    columns = np.clip(upright.of(picture)[:, :, 0].astype(float) - 130, 0, None).sum(axis=0)
    assert (columns @ (np.arange(192) + 0.5) / columns.sum() < 96) == mirrored


def test_faces_keep_their_numbers_while_they_move_and_lose_them_when_gone() -> None:
    tracks = Tracks()

    def at(x: float) -> np.ndarray:
        return np.array([x, 100, x + 40, 140], float)

    assert tracks.numbers(0.0, [at(0), at(200)]) == [0, 1]
    # In another order, each moved; a third one comes.
    assert tracks.numbers(0.25, [at(245), at(400), at(15)]) == [1, 2, 0]
    assert tracks.numbers(0.5, [at(30)]) == [0]
    # Two that want the same number: the nearer one has it.
    assert tracks.numbers(0.75, [at(50), at(33)]) == [3, 0]
    assert tracks.numbers(0.75 + LOST_S + 0.1, [at(33)]) == [4]


def test_an_age_is_the_median_of_the_frames_that_have_one() -> None:
    seen = [face(n / 4, age_years=age) for n, age in enumerate((24.0, None, 45.0, 31.0))]
    one, other = people([*seen, face(0.0, track=1)])
    assert (one.age_years, one.age_lowest_years, one.age_highest_years) == (31, 24, 45)
    assert (one.first_s, one.last_s, one.frames, one.age_frames) == (0, 0.75, 4, 3)
    assert one.largest == pytest.approx(0.08)
    assert other.age_years is None
    assert other.age_frames == 0


def test_ages_are_estimates_and_prompts_hear_of_them_only_if_asked() -> None:
    seen = [face(0.0, age_years=24.2), face(0.25, age_years=31.0), face(0.5, age_years=45.0)]
    assert Analyzer.view(seen) == (
        "1 at once; ages estimated by a small model: face 1 about 31 (24 to 45)"
    )
    assert Analyzer.prompt_line(seen) == "Faces at once: 1"
    told = [one.model_copy(update={"age_told": True}) for one in seen]
    assert Analyzer.prompt_line(told) == (
        "Faces at once: 1 (a small model's estimates of ages in years: about 31)"
    )
    assert Analyzer.prompt_line([]) == Analyzer.view([]) == ""


def test_the_lane_has_a_stretch_for_each_number_of_faces() -> None:
    # Four frames a second of 25: not quite even. Two faces from 0.52 on, none at 1.28 and 1.76.
    counts = {0.0: 1, 0.28: 1, 0.52: 2, 0.76: 2, 1.0: 2, 1.52: 1, 2.0: 1}
    seen = [face(t, track, n) for t, n in counts.items() for track in range(n)]
    marks = Analyzer.marks(seen)
    assert [mark.text for mark in marks] == ["1 face", "2 faces", "1 face", "1 face"]
    assert [mark.level for mark in marks] == [0.5, 1.0, 0.5, 0.5]
    assert [mark.start_s for mark in marks] == [0.0, 0.52, 1.52, 2.0]
    assert [mark.end_s for mark in marks] == pytest.approx([0.52, 1.25, 1.77, 2.25])
    assert Analyzer.figures(seen)["Faces at once"] == "2 at most"
    assert [box.text for box in Analyzer.boxes(seen)][:3] == ["face 1", "face 1", "face 1"]
    assert Analyzer.labels(seen) == ["2 faces"]
    assert Analyzer.marks([]) == []
    (moment,) = Analyzer.marks([face(3.0)])
    assert moment.start_s == moment.end_s == 3.0


@pytest.mark.parametrize("video_fps", [5, 6, 7.5, 25])
def test_the_time_with_faces_is_the_same_at_any_frame_rate(video_fps: float) -> None:
    frames = {math.ceil(n / 4 * video_fps - 1e-6) / video_fps for n in range(80)}
    odd = max(frames) + 0.03
    seen = [face(time_s) for time_s in sorted({*frames, odd})]
    assert len(Analyzer.marks(seen)) == 1
    assert Analyzer.figures(seen)["Time with faces"] in ("20 s", "20.0 s", "20.1 s")


def test_faces_that_are_not_recorded_are_counted() -> None:
    crowd = [face(0.0, track, in_frame=40) for track in range(16)]
    assert Analyzer.view(crowd) == "40 at once"
    assert Analyzer.labels(crowd) == ["3 or more faces"]


def test_a_detector_that_is_very_sure_overflows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = (INPUT_PX // STRIDE_PX) ** 2
    logits = np.full(cells, -1000, np.float32)
    logits[:2] = 1000, 95
    numbers = np.full((cells, 2 * (2 + POINTS_OF_A_FACE)), 20, np.float32)
    net = SimpleNamespace(run=lambda image: [logits, numbers.ravel()])
    monkeypatch.setattr(detector, "Net", lambda *args, **options: net)
    with np.errstate(over="raise"):
        (found,) = Detector(Path(), 0.5).find(np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8))
    assert found.score == 1


def test_a_folder_without_a_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KairosError, match=r"weights of faces have no detector\.tflite") as caught:
        Analyzer.load(FacesSettings(), tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def test_a_damaged_network_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "detector.tflite").write_bytes(b"no network at all" * 100)
    with pytest.raises(KairosError, match=r"cannot load .*detector\.tflite") as caught:
        Analyzer.load(FacesSettings(), tmp_path, "cpu")
    assert "\n" not in str(caught.value)
