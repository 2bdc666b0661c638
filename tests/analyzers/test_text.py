"""Text is read word for word, once for as long as it stays, and offline."""

import logging
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.pictures import by_scene, film_of, found_in, session_of
from PIL import Image, ImageDraw, ImageFont

from kairos_lib.analyzers import text
from kairos_lib.analyzers.lasting import Lasting, Line
from kairos_lib.analyzers.text import Analyzer, Text, TextSettings
from kairos_lib.errors import KairosError
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project

reads = pytest.mark.skipif(not find_spec("rapidocr"), reason="rapidocr is an extra: `analysis`")
SIZE = (640, 360)
Written = tuple[int, int, int, str]


def page(
    *written: Written, size: tuple[int, int] = SIZE, paper: str = "#283c5a", ink: str = "white"
) -> np.ndarray:
    """RGB: lines of text, each with its left edge, its top, its height and its words."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    for left, top, px, words in written:
        draw.text((left, top), words, font=ImageFont.load_default(px), fill=ink)
    return np.asarray(image)


@pytest.fixture(scope="module")
def reader() -> object:
    models = Analyzer.weights(None)
    assert models is not None
    return text.load(Path(models.id), TextSettings().detection_px)


def read(reader: object, picture: np.ndarray) -> list[Line]:
    return text.lines(reader, np.ascontiguousarray(picture[:, :, ::-1]), TextSettings())


class Counted:
    """A reader that finds what it is told to, and counts how often it was asked."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.score = 0.99
        self.asked = 0

    def __call__(self, picture: np.ndarray) -> object:
        self.asked += 1
        height, width = picture.shape[:2]
        corners = np.array([(0, 0), (width / 2, 0), (width / 2, height / 8), (0, height / 8)])

        class Answer:
            txts = self.words
            scores = tuple(self.score for _ in self.words)
            boxes = np.array(
                [corners + np.array([0, n * height / 8]) for n in range(len(self.words))]
            )

        return Answer()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counted:
    """In place of the real one, so that films can be long."""
    told = Counted("WELCOME", "to the show")
    monkeypatch.setattr(text, "load", lambda models, px: told)
    monkeypatch.setattr(text, "find_spec", lambda name: _Spec(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "any.onnx").write_bytes(b"any")
    return told


class _Spec:
    def __init__(self, folder: Path) -> None:
        self.origin = str(folder / "__init__.py")


# With the real models.


@reads
def test_captions_of_12_to_60_px_at_720p_are_read_word_for_word(reader: object) -> None:
    heights = (12, 16, 18, 24, 40, 60)
    written = [(80, 30 + 110 * n, px, f"Caption of {px} pixels") for n, px in enumerate(heights)]
    found = read(reader, page(*written, size=(1280, 720)))
    assert [line.text for line in found] == [words for *_, words in written]
    for line, (left, top, px, _) in zip(found, written, strict=True):
        assert line.box[0] == pytest.approx(left / 1280, abs=0.01)
        assert line.box[1] == pytest.approx(top / 720, abs=0.02)
        assert line.box[3] == pytest.approx((top + px) / 720, abs=0.03)


@reads
def test_the_words_on_the_bus_are_read(reader: object, bus: np.ndarray) -> None:
    found = [line.text for line in read(reader, bus)]
    assert {"cero", "emisiones"} <= set(found)
    # Leaves, windows and tiles are no text.
    assert len(found) <= 4


@reads
def test_a_page_of_small_text_is_read_line_by_line(reader: object) -> None:
    written = [(40, 20 + 22 * n, 13, f"Line {n + 10} has small words") for n in range(15)]
    found = read(reader, page(*written, paper="white", ink="black"))
    assert [line.text for line in found] == [words for *_, words in written]


@reads
@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((360, 640, 3), dtype=np.uint8),
        np.full((360, 640, 3), 255, dtype=np.uint8),
        np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8),
        np.zeros((2, 2, 3), dtype=np.uint8),
        np.zeros((2, 640, 3), dtype=np.uint8),
    ],
    ids=["black", "white", "noise", "tiny", "flat"],
)
def test_where_nothing_is_written_nothing_is_read(reader: object, picture: np.ndarray) -> None:
    assert read(reader, picture) == []


@reads
def test_single_letters_are_left_out(reader: object) -> None:
    assert read(reader, page((300, 150, 40, "O"))) == []


@reads
def test_each_net_has_one_thread(reader: Any) -> None:
    read(reader, page((40, 40, 30, "Some words")))
    for net in (reader.text_det, reader.text_rec):
        options = net.session.session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert cv2.getNumThreads() == 1


@reads
def test_a_film_is_read_offline_and_quietly(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A caption that comes and goes, with its times; no record of what is not written."""

    def refused(*_: object) -> None:
        raise AssertionError("it looks for a network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    caption = page((200, 300, 28, "Good evening"))
    film = film_of(tmp_path / "c.mp4", [page()] * 8 + [caption] * 8 + [page()] * 4)
    (found,) = found_in(project, film, "text")
    assert (found.text, found.start_s, found.scene) == ("Good evening", 2.0, 0)
    assert found.end_s == 3.75
    assert found.score > 0.9
    said = capfd.readouterr()
    assert "RapidOCR" not in said.out + said.err
    assert logging.getLogger("RapidOCR").level >= logging.ERROR


@reads
def test_the_models_are_part_of_the_key(project: Project, tmp_path: Path) -> None:
    session = session_of(project, film_of(tmp_path / "k.mp4", [page()]), "text")
    result = session.run.result(BaseResult)
    assert result is not None
    (report,) = [one for one in result.stages if one.name == "text"]
    assert len(report.weights) == 64


# Without them.


def test_a_long_still_is_read_once(project: Project, tmp_path: Path, counted: Counted) -> None:
    film = film_of(tmp_path / "still.mp4", [page((40, 40, 30, "WELCOME"))] * 120, fps=2)
    found = found_in(project, film, "text")
    assert counted.asked == 1
    assert [(one.text, one.start_s, one.end_s, one.readings) for one in found] == [
        ("WELCOME", 0.0, 59.5, 1),
        ("to the show", 0.0, 59.5, 1),
    ]


def test_a_picture_that_changes_is_read_once_a_second(
    project: Project, tmp_path: Path, counted: Counted
) -> None:
    pictures = [page((10 + 12 * n, 100, 24, "oo")) for n in range(24)]
    found = found_in(project, film_of(tmp_path / "m.mp4", pictures), "text")
    assert counted.asked == 6
    assert {(one.start_s, one.end_s, one.readings) for one in found} == {(0.0, 5.0, 6)}


def test_another_picture_is_read_at_once(
    project: Project, tmp_path: Path, counted: Counted
) -> None:
    pictures = [page()] * 2 + [page(paper="white")] * 2 + [page(paper="black")] * 4
    found_in(project, film_of(tmp_path / "cuts.mp4", pictures), "text")
    assert counted.asked == 3


def test_a_small_caption_is_a_change(project: Project, tmp_path: Path, counted: Counted) -> None:
    pictures = [page(size=(1280, 720))] * 4 + [page((60, 650, 12, "by us"), size=(1280, 720))] * 4
    found_in(project, film_of(tmp_path / "small.mp4", pictures), "text")
    assert counted.asked == 2


@pytest.mark.parametrize(("score", "moves", "count"), [(0.85, 0, 0), (0.85, 9, 2), (0.92, 0, 2)])
def test_what_is_read_once_must_be_sure(
    project: Project, tmp_path: Path, counted: Counted, score: float, moves: int, count: int
) -> None:
    counted.score = score
    pictures = [page((10 + moves * n, 100, 24, "oo")) for n in range(8)]
    found = found_in(project, film_of(tmp_path / "once.mp4", pictures), "text")
    assert len(found) == count


def test_without_the_package_the_stage_is_skipped_and_says_what_to_do(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    session = session_of(project, film_of(tmp_path / "n.mp4", [page()]), "text")
    result = session.run.result(BaseResult)
    assert result is not None
    (report,) = [one for one in result.stages if one.name == "text"]
    assert report.state == "skipped"
    assert report.reason.startswith("rapidocr is not installed: run `make install`")


def test_models_of_another_version_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(KairosError, match=r"has no PP-OCRv6_det_small.onnx: run `make install`"):
        text.load(tmp_path, 640)


@reads
@pytest.mark.parametrize("damaged", [text.DETECTOR, text.RECOGNIZER])
def test_a_damaged_model_is_one_line_when_it_is_loaded(tmp_path: Path, damaged: str) -> None:
    models = Analyzer.weights(None)
    assert models is not None
    for name in (text.DETECTOR, text.RECOGNIZER):
        (tmp_path / name).symlink_to(Path(models.id) / name)
    (tmp_path / damaged).unlink()
    (tmp_path / damaged).write_bytes(b"no network at all" * 100)
    with pytest.raises(KairosError, match=r"cannot load the models in .*`make install`") as caught:
        text.load(tmp_path, TextSettings().detection_px)
    assert "\n" not in str(caught.value)


@reads
def test_both_nets_are_loaded_before_a_picture_is_read(reader: Any) -> None:
    assert reader.text_det is not None
    assert reader.text_rec is not None
    assert (reader.use_det, reader.use_rec) == (True, True)


def test_importing_the_three_imports_nothing_heavy() -> None:
    heavy = {"rapidocr", "cv2", "av", "onnxruntime", "torch"}
    code = (
        "import sys, kairos_lib.analyzers.text, kairos_lib.analyzers.color\n"
        f"import kairos_lib.analyzers.quality; print({heavy} & {{*sys.modules}})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"


def test_a_text_that_stays_over_a_cut_is_in_both_scenes(
    project: Project, tmp_path: Path, counted: Counted
) -> None:
    pictures = [page(paper="#c01010")] * 8 + [page(paper="#1010c0")] * 8
    session = session_of(project, film_of(tmp_path / "two.mp4", pictures), "text")
    first, second = by_scene(session, "text")
    assert [one.text for one in first] == [one.text for one in second] == [*counted.words]
    assert {(one.start_s, one.end_s) for one in [*first, *second]} == {(0.0, 3.75)}
    assert len(Analyzer.marks([*first, *second])) == 2


# What is one text, and how it is shown.


def seen(*readings: list[Line]) -> list[tuple[str, float, float]]:
    lasting = Lasting()
    gone = [one for at, lines in enumerate(readings) for one in lasting.read(float(at), lines)]
    return [(one.line.text, one.start_s, one.end_s) for one in [*gone, *lasting.end()]]


HERE, THERE = (0.1, 0.8, 0.5, 0.85), (0.1, 0.1, 0.5, 0.15)


def test_the_same_text_in_the_same_place_is_one_record() -> None:
    line, moved = (
        Line("Good evening", 0.99, HERE),
        Line("Good evening", 0.97, (0.1, 0.81, 0.5, 0.86)),
    )
    assert seen([line], [moved], [line]) == [("Good evening", 0.0, 2.0)]


def test_the_same_text_elsewhere_or_later_is_another() -> None:
    line, there = Line("Good evening", 0.99, HERE), Line("Good evening", 0.99, THERE)
    assert seen([line], [there]) == [("Good evening", 0.0, 0.0), ("Good evening", 1.0, 1.0)]
    assert seen([line], [], [line]) == [("Good evening", 0.0, 0.0), ("Good evening", 2.0, 2.0)]


def test_a_letter_read_wrong_makes_no_second_text() -> None:
    right, wrong = Line("Caption of pixels", 0.99, HERE), Line("Caption of pixets", 0.85, HERE)
    assert seen([wrong], [right], [wrong]) == [("Caption of pixels", 0.0, 2.0)]


@pytest.mark.parametrize(
    ("one", "other"), [("HOME 2 AWAY 1", "HOME 3 AWAY 1"), ("She is here", "He is here")]
)
def test_texts_that_differ_little_are_two(one: str, other: str) -> None:
    found = seen([Line(one, 0.99, HERE)], [Line(other, 0.99, HERE)])
    assert [text for text, *_ in found] == [one, other]
    unsure = seen([Line("HOME 2 AWAY 1", 0.85, HERE)], [Line("HOME 3 AWAY 1", 0.85, HERE)])
    assert len(unsure) == 2


def record(text: str, start_s: float, end_s: float, top: float = 0.1) -> Text:
    box = (0.1, top, 0.5, top + 0.05)
    return Text(scene=0, start_s=start_s, end_s=end_s, text=text, score=0.9, box=box, readings=2)


def test_a_prompt_has_the_longest_seen_first_and_a_few_at_most() -> None:
    found = [record("brief", 0, 1), record("long", 0, 9), record("brief", 5, 6)]
    assert Analyzer.prompt_line(found) == 'Text in the picture: "long", "brief"'
    assert Analyzer.view(found) == "brief · long"
    assert Analyzer.labels(found) == ["brief", "long"]
    many = [record(f"line {n}", 0, 1) for n in range(50)]
    assert Analyzer.prompt_line(many).count('"') == 16
    assert len(Analyzer.prompt_line([record("x" * 5000, 0, 1)])) < 200


def test_a_line_has_one_box_for_all_of_its_time_however_long() -> None:
    boxes = Analyzer.boxes([record("two", 1.75, 2.5, 0.6), record("one", 0.25, 7200)])
    assert [(box.time_s, box.end_s, box.text) for box in boxes] == [
        (0.25, 7200, "one"), (1.75, 2.5, "two"),
    ]  # fmt: skip


def test_a_line_that_was_read_once_is_a_moment_that_pictures_near_it_show() -> None:
    (box,) = Analyzer.boxes([record("once", 1.75, 1.75)])
    assert (box.time_s, box.end_s) == (1.75, None)


def test_marks_are_in_order_of_time_though_records_come_as_texts_go() -> None:
    found = [record("brief", 4, 5), record("long", 0, 9)]
    assert [mark.text for mark in Analyzer.marks(found)] == ["long", "brief"]
    assert Analyzer.figures(found) == {"Lines of text": "2"}
