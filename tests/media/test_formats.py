"""Pictures and times of many formats: what the decoder gives is what was filmed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.films import Film, Sound

from kairos_lib.media.picture import upright
from kairos_lib.media.video import VideoFile, probe

B_FRAMES = {"bf": "3", "b-adapt": "0", "preset": "veryfast"}
HEVC = "log-level=none:pools=none:frame-threads=1:keyint=10"
FORMATS = {
    "b-frames.mp4": Film(100, options={"g": "10", **B_FRAMES}),
    "b-frames.mkv": Film(100, options={"g": "10", **B_FRAMES}),
    "open-group.mp4": Film(100, options={"g": "10", "x264-params": "open-gop=1", **B_FRAMES}),
    "open-group.mkv": Film(100, options={"g": "10", "x264-params": "open-gop=1", **B_FRAMES}),
    "hevc.mp4": Film(100, codec="libx265", options={"x265-params": f"{HEVC}:open-gop=1:bframes=3"}),
    "hevc.mkv": Film(100, codec="libx265", options={"x265-params": f"{HEVC}:open-gop=1:bframes=3"}),
    "10-bit.mkv": Film(100, codec="libx265", pixels="yuv420p10le", options={"x265-params": HEVC}),
    "vp9.webm": Film(100, codec="libvpx-vp9", options={"g": "10"}),
    "hidden.webm": Film(100, codec="libvpx-vp9", options={"deadline": "good", "cpu-used": "5",
        "g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "av1.mp4": Film(100, codec="libsvtav1", options={"g": "10"}),
    "av1.mkv": Film(100, codec="libsvtav1", options={"g": "10"}),
    "broadcast.ts": Film(100, options={"g": "10", **B_FRAMES}, sounds=[Sound(10)]),
    "raw.h264": Film(100, options={"g": "10", **B_FRAMES}),
    "raw.hevc": Film(100, codec="libx265", options={"x265-params": HEVC}),
    "b-frames.avi": Film(100, options={"g": "10", **B_FRAMES}),
    "old.avi": Film(100, codec="mpeg4", options={"g": "10", "bf": "2"}),
    "disc.mpg": Film(100, codec="mpeg2video", fps=25, options={"g": "10", "bf": "2"}),
    "flash.flv": Film(100, options={"g": "10", **B_FRAMES}),
    "moves.gif": Film(100, codec="gif", pixels="bgr8"),
    "uneven.mkv": Film(100, options={"g": "10", **B_FRAMES}, ticks=[n * n * 3 for n in range(100)]),
    "uneven.mp4": Film(100, options={"g": "10", **B_FRAMES}, ticks=[n * n * 3 for n in range(100)]),
    "fast.mkv": Film(100, codec="mpeg4", fps=240, options={"g": "10"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    for name, film in FORMATS.items():
        film.write(folder / name)
    return folder


def nearest(film: Film, image: np.ndarray, number: int) -> int:
    """Which of the frames about a number an image is most like."""
    about = range(max(0, number - 2), number + 3)
    return min(about, key=lambda n: np.abs(film.image(n).astype(int) - image).mean())


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_comes_once_in_order_at_its_time(films: Path, name: str) -> None:
    film = FORMATS[name]
    frames = list(VideoFile(films / name).frames())
    assert len(frames) == film.frames
    times = film.ticks or [1000 * n / film.fps for n in range(film.frames)]
    for number, frame in enumerate(frames):
        # Matroska counts milliseconds.
        assert frame.time_s == pytest.approx(times[number] / 1000, abs=0.0011)
        # The place of the bar tells the frame from its neighbours.
        assert nearest(film, frame.image(), number) == number


@pytest.mark.parametrize("name", FORMATS)
def test_frames_drawn_by_time_are_those_of_a_whole_pass(films: Path, name: str) -> None:
    whole = list(VideoFile(films / name).frames())
    end_s = whole[-1].time_s
    # Some gaps are worth a seek, some are not; some end just before a key frame.
    wanted = [share * end_s for share in (0, 0.001, 0.2, 0.21, 0.594, 0.623, 0.97, 0.98, 1.1)]
    for time_s, frame in VideoFile(films / name).at(wanted):
        shown = [f for f in whole if f.time_s <= time_s + 1e-6][-1]
        assert frame.time_s == pytest.approx(shown.time_s)
        assert np.array_equal(frame.image(), shown.image())


def first(film: Film, path: Path):
    return next(VideoFile(film.write(path)).frames())


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_film_held_sideways_or_mirrored_is_upright(
    tmp_path: Path, degrees: int, mirrored: bool
) -> None:
    film = Film(1, rotation_deg=degrees, mirrored=mirrored, options={"qp": "4"})
    frame = first(film, tmp_path / "a.mp4")
    wanted = np.rot90(film.image(0), degrees // 90)
    if mirrored:
        wanted = wanted[:, ::-1]
    assert frame.image().shape == wanted.shape
    assert np.abs(frame.image().astype(int) - wanted).mean() < 12
    assert probe(tmp_path / "a.mp4", "").display_size == wanted.shape[1::-1]
    assert frame.image(longest_px=48).shape[:2] == tuple(side // 2 for side in wanted.shape[:2])


@pytest.mark.parametrize(("aspect", "width"), [((4, 3), 128), ((8, 9), 85), ((1, 1000), 96)])
def test_pixels_are_made_square_by_width_unless_their_shape_is_nonsense(
    tmp_path: Path, aspect: tuple[int, int], width: int
) -> None:
    film = Film(1, pixel_aspect=Fraction(*aspect))
    assert first(film, tmp_path / "a.mp4").image().shape == (64, width, 3)
    assert first(film, tmp_path / "a.mkv").image(longest_px=48).shape[1] == 48
    facts = probe(tmp_path / "a.mp4", "")
    assert (facts.width, facts.height, facts.display_size) == (96, 64, (width, 64))


def test_a_film_held_sideways_with_wide_pixels_is_long(tmp_path: Path) -> None:
    film = Film(1, pixel_aspect=Fraction(4, 3), rotation_deg=90)
    assert first(film, tmp_path / "a.mp4").image().shape == (128, 64, 3)


@pytest.mark.parametrize("size", [(95, 63), (33, 17), (2, 2), (1, 1)])
def test_odd_sizes_are_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    film = Film(1, codec="ffv1", pixels="yuv444p", size=size)
    frame = first(film, tmp_path / "a.mkv")
    assert frame.image().shape == (size[1], size[0], 3)
    assert min(frame.image(longest_px=16).shape) >= 1


@pytest.mark.parametrize("size", [(96, 64), (1280, 720)])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, None])
@pytest.mark.parametrize("kind", [("libx264", "yuv420p"), ("libx265", "yuv420p10le")])
def test_a_plain_colour_survives(
    tmp_path: Path,
    size: tuple[int, int],
    full_range: bool,
    matrix: int | None,
    kind: tuple[str, str],
) -> None:
    plain = (200, 40, 90)
    coded = matrix or (1 if size[0] > 1000 else 5)
    film = Film(
        1, *kind, size=size, plain=plain, full_range=full_range, matrix=coded, tagged=bool(matrix)
    )
    image = first(film, tmp_path / "a.mkv").image(longest_px=48)
    assert np.abs(image.astype(int) - plain).max() <= 4


def test_unknown_colour_tags_do_not_stop_a_film(tmp_path: Path) -> None:
    frame = first(Film(1), tmp_path / "a.mkv")
    for matrix in (0, 2, 3, 8, 10, 14):
        frame.picture.colorspace = matrix
        assert upright(frame.picture, 30, 20, "rgb24", "BILINEAR").shape == (20, 30, 3)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("longest_px", [None, 128, 40])
def test_fields_of_two_moments_are_never_woven_together(
    tmp_path: Path, codec: str, longest_px: int | None
) -> None:
    """A white bar that has moved on by the second field."""
    path = tmp_path / "a.mkv"
    options = {"flags": "+ildct+ilme", "qp": "2", "x264-params": "tff=1", "b": "8M"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(4):
            image = np.zeros((96, 128, 3), np.uint8)
            image[0::2, 20:50] = image[1::2, 70:100] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for frame in VideoFile(path).frames():
        image = frame.image(longest_px).astype(int)
        height, width, _ = image.shape
        assert (width, height) == ((longest_px or 128), round((longest_px or 128) * 0.75))
        assert image[:, width * 35 // 128].min() > 200
        assert image[:, width * 85 // 128].max() < 40


def test_frames_that_change_size_are_all_shown_at_that_of_the_first(tmp_path: Path) -> None:
    parts = [Film(20).write(tmp_path / "a.ts"), Film(20, size=(128, 96)).write(tmp_path / "b.ts")]
    whole = tmp_path / "whole.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(VideoFile(whole).frames())
    assert {frame.picture.width for frame in frames} == {96, 128}
    assert {frame.image().shape for frame in frames} == {(64, 96, 3)}
