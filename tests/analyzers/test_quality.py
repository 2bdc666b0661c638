"""Flaws of known size are measured at that size, and stretches without a picture found."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.films import Film
from helpers.pictures import by_scene, film_of, found_in, session_of
from PIL import Image

from kairos_lib.analyzers.flaws import blockiness, blur, noise
from kairos_lib.analyzers.quality import Analyzer, Quality
from kairos_lib.media.video import VideoFile
from kairos_lib.project import Project

SIZE = (180, 320)
FPS = 4


def soft(seed: int = 1) -> np.ndarray:
    """A grey picture with large shapes, of which neither noise nor blocks are a part."""
    random = np.random.default_rng(seed).normal(0, 1, SIZE).astype(np.float32)
    smooth = cv2.GaussianBlur(random, (0, 0), 8)
    levels = np.clip(128 + (smooth - smooth.mean()) / smooth.std() * 40, 20, 235)
    return np.rint(levels).astype(np.uint8)


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def plain(level: int) -> np.ndarray:
    return np.full((*SIZE, 3), level, dtype=np.uint8)


def moving(count: int) -> list[np.ndarray]:
    """Pictures that differ from one another."""
    return [np.roll(rgb(soft()), 16 * number, axis=1) for number in range(count)]


def as_jpeg(grey: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def bus_grey(bus: np.ndarray) -> np.ndarray:
    """Half its size, so that it is sharp and without the blocks that the file has."""
    grey = cv2.cvtColor(bus, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def stretches(found: list[Quality]) -> list[tuple[str, float, float]]:
    return [(one.kind, one.start_s, one.end_s) for one in found if one.kind != "measured"]


@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_noise_of_a_known_size_is_measured(sigma: int) -> None:
    grain = np.random.default_rng(2).normal(0, sigma, SIZE)
    noisy = np.clip(np.rint(soft() + grain), 0, 255).astype(np.uint8)
    assert noise(noisy) == pytest.approx(sigma, rel=0.1)


def test_texture_is_not_noise(bus_grey: np.ndarray) -> None:
    """A photograph has a little of its own; its leaves and stones do not count."""
    grain = np.random.default_rng(2).normal(0, 10, bus_grey.shape)
    noisy = np.clip(np.rint(bus_grey + grain), 0, 255).astype(np.uint8)
    assert noise(noisy) == pytest.approx(10, rel=0.15)


def test_blur_grows_with_the_blur(bus_grey: np.ndarray) -> None:
    blurs = [blur(bus_grey)] + [blur(cv2.GaussianBlur(bus_grey, (0, 0), s)) for s in (1, 2, 4)]
    found = [one for one in blurs if one is not None]
    assert len(found) == 4
    assert found == sorted(found)
    assert found[0] < 0.45
    assert found[3] > 0.75
    assert min(np.diff(found)) > 0.05


def test_blur_in_one_direction_is_blur(bus_grey: np.ndarray) -> None:
    """As of a camera that moves."""
    across, down = (cv2.blur(bus_grey, size) for size in ((15, 1), (1, 15)))
    for smeared in (across, down):
        assert (blur(smeared) or 0) > (blur(bus_grey) or 1) + 0.2


def test_blocks_are_those_of_jpeg(bus_grey: np.ndarray) -> None:
    grades = [blockiness(as_jpeg(bus_grey, quality)) or 0 for quality in (95, 20, 5)]
    assert grades == sorted(grades)
    assert grades[0] == pytest.approx(1, abs=0.15)
    assert grades[1] > 1.3
    assert grades[2] > 2


def test_blocks_are_looked_for_where_the_codec_put_them(bus_grey: np.ndarray) -> None:
    blocky = as_jpeg(bus_grey, 5)
    scaled = cv2.resize(blocky, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    assert (blockiness(blocky[4:, 4:]) or 9) < 1
    assert (blockiness(scaled) or 9) < 1.2


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_plain_picture_has_neither_noise_nor_blocks_nor_a_blur(level: int) -> None:
    grey = np.full(SIZE, level, dtype=np.uint8)
    assert (noise(grey), blockiness(grey), blur(grey)) == (0, 1, None)


def test_a_picture_too_small_to_measure_has_no_values() -> None:
    tiny = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert (noise(tiny), blockiness(tiny), blur(tiny)) == (None, None, None)


def test_a_large_picture_is_measured_in_its_middle() -> None:
    """Also there the blocks are counted from the picture's own edge."""
    random = np.random.default_rng(4)
    blocks = np.kron(random.integers(0, 256, (225, 400)), np.ones((8, 8))).astype(np.uint8)
    assert (blockiness(blocks) or 0) > 100


def test_a_film_is_measured_once_a_second_with_its_own_pixels(
    project: Project, tmp_path: Path
) -> None:
    grain = np.random.default_rng(2).normal(0, 8, (FPS * 3, *SIZE))
    pictures = [rgb(np.clip(soft() + one, 0, 255).astype(np.uint8)) for one in grain]
    found = found_in(project, film_of(tmp_path / "noisy.mp4", pictures), "quality")
    assert [(one.kind, one.start_s) for one in found] == [("measured", float(n)) for n in range(3)]
    for one in found:
        assert one.noise == pytest.approx(8, rel=0.15)
        assert one.blockiness == pytest.approx(1, abs=0.05)
        assert one.brightness == pytest.approx(0.5, abs=0.03)
    assert Analyzer.labels(found) == ["noisy"]
    assert Analyzer.prompt_line(found) == "Picture quality: noisy"
    assert [(m.start_s, m.end_s, m.text) for m in Analyzer.marks(found)] == [(0.0, 3.0, "noisy")]


def test_stored_pixels_are_neither_scaled_nor_turned(tmp_path: Path) -> None:
    grey = soft()
    film = film_of(tmp_path / "one.mp4", [rgb(grey)])
    (frame,) = VideoFile(film).frames()
    stored = frame.stored_grey()
    assert stored.shape == SIZE
    assert np.abs(stored.astype(int) - grey).max() <= 2


@pytest.mark.parametrize(
    ("codec", "pixels", "name"),
    [
        ("libx265", "yuv420p10le", "ten.mp4"),
        ("ffv1", "bgr0", "rgb.mkv"),
        ("ffv1", "gray16le", "deep.mkv"),
        ("libx264", "yuv444p", "full.mp4"),
    ],
)
def test_stored_pixels_of_any_kind_are_grey_from_black_to_white(
    tmp_path: Path, codec: str, pixels: str, name: str
) -> None:
    film = Film(frames=1, codec=codec, pixels=pixels, size=(128, 96), plain=(255, 255, 255))
    (frame,) = VideoFile(film.write(tmp_path / name)).frames()
    stored = frame.stored_grey()
    assert (stored.shape, stored.dtype) == ((96, 128), np.uint8)
    assert stored.mean() == pytest.approx(255, abs=3)


def test_frozen_and_black_stretches_have_their_times(project: Project, tmp_path: Path) -> None:
    still = rgb(soft(9))
    pictures = [*moving(8), *[still] * 12, *moving(4), *[plain(0)] * 6, *moving(4)]
    session = session_of(project, film_of(tmp_path / "s.mp4", pictures), "quality")
    found = [one for scene in by_scene(session, "quality") for one in scene]
    assert stretches(found) == [("frozen", 2.0, 5.0), ("black", 6.0, 7.5)]
    assert {"frozen", "black"} <= {mark.text for mark in Analyzer.marks(found)}
    figures = Analyzer.figures(found)
    assert (figures["Frozen"], figures["Black"]) == ("3.0 s", "1.5 s")


def test_a_small_thing_that_moves_is_not_frozen(project: Project, tmp_path: Path) -> None:
    pictures = []
    for number in range(16):
        picture = plain(90)
        picture[100:112, 20 + 16 * number : 32 + 16 * number] = 230
        pictures.append(picture)
    assert stretches(found_in(project, film_of(tmp_path / "b.mp4", pictures), "quality")) == []


def test_what_changes_slowly_is_not_frozen(project: Project, tmp_path: Path) -> None:
    pictures = [plain(60 + number) for number in range(24)]
    assert stretches(found_in(project, film_of(tmp_path / "f.mp4", pictures), "quality")) == []


def test_a_picture_shown_for_long_is_frozen_though_it_is_one_frame(
    project: Project, tmp_path: Path
) -> None:
    film = film_of(tmp_path / "v.mp4", moving(4), ticks=[0, 1, 2, 22])
    found = found_in(project, film, "quality")
    assert stretches(found) == [("frozen", 0.5, 5.5)]


def test_a_long_still_is_one_stretch(project: Project, tmp_path: Path) -> None:
    film = film_of(tmp_path / "l.mp4", [rgb(soft())] * 20, fps=1)
    assert stretches(found_in(project, film, "quality")) == [("frozen", 0.0, 20.0)]


@pytest.mark.parametrize(("level", "word"), [(20, "underexposed"), (255, "overexposed"), (128, "")])
def test_exposure_has_a_word_at_both_ends(
    project: Project, tmp_path: Path, level: int, word: str
) -> None:
    found = found_in(project, film_of(tmp_path / "e.mp4", [plain(level)]), "quality")
    assert [label for label in Analyzer.labels(found) if label.endswith("posed")] == [word] * bool(
        word
    )


def test_white_noise_is_noisy_and_sharp(project: Project, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    pictures = [random.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(4)]
    found = found_in(project, film_of(tmp_path / "w.mp4", pictures), "quality")
    assert Analyzer.labels(found) == ["noisy"]


def test_one_black_frame_is_no_stretch(project: Project, tmp_path: Path) -> None:
    (found,) = found_in(project, film_of(tmp_path / "o.mp4", [plain(0)], fps=10), "quality")
    assert (found.kind, found.brightness, found.dark_share, found.blur) == (
        "measured", 0.0, 1.0, None,
    )  # fmt: skip


def test_nothing_is_said_without_a_measurement() -> None:
    assert (Analyzer.prompt_line([]), Analyzer.view([]), Analyzer.labels([])) == ("", "", [])
    assert (list(Analyzer.marks([])), dict(Analyzer.figures([]))) == ([], {})
