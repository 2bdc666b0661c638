"""Faces in real pictures by the real networks, where both are at hand."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.package_weights import CLIPS, fetched
from helpers.projects import write_parameters
from PIL import Image

from kairos_lib.analyzers.faces.face import Face, people
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal

WEIGHTS = fetched("faces", "KAIROS_TEST_FACES")
pytestmark = [
    pytest.mark.skipif(
        not (WEIGHTS / "detector.tflite").exists(),
        reason="the weights of faces are not here: make fetch BASE=packages",
    ),
    pytest.mark.skipif(not CLIPS.exists(), reason="there are no real clips beside the checkout"),
]
Faces = Callable[..., list[Face]]


@pytest.fixture
def faces(project: Project) -> Faces:
    """What a run finds in a file, or in a film made of pictures, two a second."""

    def found(video: Path | Sequence[np.ndarray], **settings: object) -> list[Face]:
        path = video if isinstance(video, Path) else film(project.root / "film.mkv", video)
        own = {"weights": {"source": "path", "id": str(WEIGHTS)}, **settings}
        profile = {"title": "Faces", "stages": ["faces"], "faces": own}
        write_parameters(project, "base", "faces", profile)
        session = BaseSession.open(str(path), "faces")
        session.process()
        return list(Journal(session.run.file("faces.jsonl"), Face))

    return found


def film(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """Each picture for half a second, unchanged."""
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream("ffv1", rate=2)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def astronaut() -> np.ndarray:
    with Image.open(CLIPS / "astronaut.png") as image:
        return np.asarray(image.convert("RGB"))


def frames_of(name: str) -> list[np.ndarray]:
    with av.open(str(CLIPS / name)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_portrait_is_one_face_where_it_is_and_leans_as_the_picture_does(faces: Faces) -> None:
    picture = astronaut()
    leaning = [
        np.asarray(Image.fromarray(picture).rotate(-turn, center=(226, 121), resample=2))
        for turn in (0, 20, -20)
    ]
    upright, clockwise, other = faces(leaning)
    left, top, right, bottom = np.array(upright.box) * 512
    # The face, by eye: from 180 to 268 and from 80 (the eyebrows) to 177 (the chin).
    assert left == pytest.approx(178, abs=12)
    assert right == pytest.approx(272, abs=12)
    assert top == pytest.approx(75, abs=15)
    assert bottom == pytest.approx(177, abs=15)
    assert abs(upright.yaw_deg or 99) < 6
    assert abs(upright.pitch_deg or 99) < 15
    assert clockwise.roll_deg == pytest.approx((upright.roll_deg or 0) + 20, abs=5)
    assert other.roll_deg == pytest.approx((upright.roll_deg or 0) - 20, abs=5)
    # A grown woman: more cannot be asked of a small model.
    assert 18 < (upright.age_years or 0) < 70


def test_a_mirrored_picture_turns_a_head_to_the_other_side(faces: Faces) -> None:
    frames = frames_of("head-pose-face-detection-female.gif")[::4]
    pairs = [picture for frame in frames for picture in (frame, frame[:, ::-1])]
    found = {round(face.time_s * 2): face for face in faces(pairs)}
    turned = 0
    for one in range(0, len(pairs), 2):
        first, second = found[one].yaw_deg or 0, found[one + 1].yaw_deg or 0
        assert first == pytest.approx(-second, abs=8)
        turned += abs(first) > 20
    assert turned >= 3


def test_a_head_that_turns_to_both_sides_is_one_face_and_gets_no_age_turned_away(
    faces: Faces,
) -> None:
    found = faces(CLIPS / "head-pose-face-detection-female.gif", frames_per_second=8)
    yaws = [face.yaw_deg for face in found if face.yaw_deg is not None]
    assert len({face.track for face in found}) == 1
    # To the picture's left, to its right, and back.
    assert yaws[0] < -35
    assert max(yaws) > 25
    assert yaws[-1] < -15
    for face in found:
        good = face.width_px >= 64 and abs(face.yaw_deg or 99) < 35
        assert (face.age_years is not None) == good
    (person,) = people(found)
    assert person.age_years
    assert 20 < person.age_years < 60


def test_two_who_walk_towards_the_camera_are_two_and_too_small_for_an_age(faces: Faces) -> None:
    found = faces(CLIPS / "face-demographics-walking.gif")
    followed = [person for person in people(found) if person.frames > 1]
    assert len(followed) == 2
    assert {face.in_frame for face in found} <= {1, 2}
    last = [face.box for face in found if face.time_s == max(one.time_s for one in found)]
    # By eye, in the last picture: she at a third of the width, he at nearly two thirds.
    middles = sorted((box[0] + box[2]) / 2 for box in last)
    assert middles == pytest.approx([0.36, 0.63], abs=0.03)
    assert all(face.age_years is None for face in found)


def test_eyes_that_look_aside_have_their_irises_there(faces: Faces) -> None:
    """Irises painted onto a portrait, at known places of the eye."""
    near = Image.fromarray(astronaut()).crop((120, 40, 330, 250)).resize((630, 630), 3)
    (plain,) = faces([np.asarray(near)], iris=True)
    assert plain.eyes
    places = (-0.2, -0.1, 0.0, 0.1, 0.2)
    painted = []
    for place in places:
        picture = np.asarray(near).copy()
        y, x = np.mgrid[:630, :630]
        for eye in plain.eyes:
            left, right = np.array(eye.corners).reshape(2, 2) * 630
            length = float(np.hypot(*(right - left)))
            middle = (left + right) / 2
            lid = eye.openness / 2
            white = ((x - middle[0]) / 0.46) ** 2 + ((y - middle[1]) / lid) ** 2 < length**2
            at = middle + place * (right - left)
            away = (x - at[0]) ** 2 + (y - at[1]) ** 2
            picture[white] = 235
            picture[white & (away < (0.2 * length) ** 2)] = (70, 45, 30)
            picture[white & (away < (0.09 * length) ** 2)] = 5
        painted.append(picture)
    found = faces(painted, iris=True)
    assert len(found) == len(places)
    for side in (0, 1):
        seen = [face.eyes[side].iris[0] for face in found if face.eyes and face.eyes[side].iris]
        assert seen == sorted(seen)
        assert seen == pytest.approx(places, abs=0.08)


def test_eyes_without_iris_are_open_all_the_same(faces: Faces) -> None:
    (face,) = faces([astronaut()])
    assert face.eyes
    for eye in face.eyes:
        assert eye.iris is None
        assert 0.2 < eye.openness < 0.5


@pytest.mark.parametrize("kind", ["black", "noise", "stripes"])
def test_there_is_no_face_in_pictures_without_people(faces: Faces, kind: str) -> None:
    random = np.random.default_rng(0)
    picture = {
        "black": np.zeros((360, 640, 3), np.uint8),
        "noise": random.integers(0, 256, (360, 640, 3), dtype=np.uint8),
        "stripes": np.repeat(np.tile(np.arange(640) // 20 % 2 * 255, (360, 1))[..., None], 3, 2),
    }[kind].astype(np.uint8)
    assert faces([picture, picture[::-1]]) == []


def test_there_is_no_face_among_bottles(faces: Faces) -> None:
    assert faces(CLIPS / "bottle-detection.mp4", frames_per_second=0.5) == []


def test_a_crowd_is_counted_and_its_largest_faces_recorded(faces: Faces) -> None:
    face = Image.fromarray(astronaut()).crop((140, 40, 320, 200))
    fifteen = np.tile(np.asarray(face.resize((120, 120))), (3, 5, 1))
    found = faces([fifteen] * 2, max_faces=4)
    assert len(found) == 8
    assert {one.in_frame for one in found} == {15}
    # Five hundred: too small to be seen, which takes no longer than any other picture.
    assert len(faces([np.tile(np.asarray(face.resize((48, 48))), (20, 25, 1))])) <= 16


def test_a_single_frame_is_looked_at(faces: Faces) -> None:
    assert len(faces([astronaut()])) == 1


def test_the_same_video_gives_the_same_records(faces: Faces, project: Project) -> None:
    video = CLIPS / "face-demographics-walking.gif"
    one = faces(video)
    assert one
    assert faces(video, max_faces=15) == one
