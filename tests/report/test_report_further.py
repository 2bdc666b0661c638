"""Scenes that do not fit on the report's own page, and pictures that have to."""

from __future__ import annotations

import base64
import io
import re
import resource
import struct
import zlib
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers.suites import SuiteMaker
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from kairos_lib.project import Project
from kairos_lib.report.export import export
from kairos_lib.report.page.paging import paged, share_out
from kairos_lib.report.sections.gallery import Gallery
from kairos_lib.results import suite
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, FusedScene


def stretches(scenes: dict[str, int], at_most: int) -> list[list[tuple[str, int, int]]]:
    return [
        [(part.video, part.first, part.end) for part in page.stretches]
        for page in paged(scenes, at_most)
    ]


def test_the_first_page_has_a_share_of_every_video_and_the_others_go_on() -> None:
    assert stretches({"long": 9, "short": 2, "other": 4}, 6) == [
        [("long", 0, 2), ("short", 0, 2), ("other", 0, 2)],
        [("long", 2, 8)],
        [("long", 8, 9), ("other", 2, 4)],
    ]


def test_scenes_that_fit_are_on_one_page() -> None:
    assert stretches({"a": 3, "b": 3}, 6) == [[("a", 0, 3), ("b", 0, 3)]]
    assert stretches({"empty": 0}, 6) == [[("empty", 0, 0)]]
    assert [page.file for page in paged({"a": 13}, 6)] == [
        "index.html", "scenes-2.html", "scenes-3.html",
    ]  # fmt: skip


def test_scenes_are_shared_out_evenly() -> None:
    assert share_out([3000, 8, 500], 300) == [146, 8, 146]
    assert share_out([], 300) == []


def test_every_scene_is_on_one_page_with_what_each_model_wrote(maker: SuiteMaker) -> None:
    maker.base("short", "Short", scenes=2)
    maker.base("long", "Long", scenes=9)
    maker.done(video="short")
    maker.done(video="long", captions=[f"Caption {index}." for index in range(9)])
    maker.failed("b", "B", video="long", captions=["Only the first."])
    data = suite.read(maker.write(), "demo")
    gallery = Gallery(data, data.project.notebooks, at_most=6)
    shown = [
        (video.video, card.scene.index, [said.caption.text for said in card.said if said.caption])
        for page in gallery.pages
        for video in gallery.videos(page)
        for card in video.cards
    ]
    assert [one for one in shown if one[0] == "long"] == [
        ("long", index, [f"Caption {index}.", *(["Only the first."] if index == 0 else [])])
        for index in range(9)
    ]
    assert len(shown) == 11
    assert [video.left_out for video in gallery.first] == [0, 5]


def test_captions_before_a_spoilt_line_are_shown(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    folder = maker.done(captions=["One.", "Two.", "Three."])
    lines = (folder / "fused.jsonl").read_text().splitlines()
    (folder / "fused.jsonl").write_text("\n".join([*lines[:2], "spoilt", ""]))
    data = suite.read(maker.write(), "demo")
    said = [card.said[0] for card in Gallery(data, data.project.notebooks).first[0].cards]
    assert [one.status for one in said] == ["captioned", "captioned", "without caption"]
    assert said[2].problem == "its fused.jsonl cannot be read"


def test_scenes_of_a_resumed_run_need_no_order(maker: SuiteMaker) -> None:
    maker.base(scenes=2)
    folder = maker.done(captions=[Caption(scene=0, text="One."), Caption(scene=1, text="Two.")])
    journal = Journal(folder / "fused.jsonl", FusedScene)
    journal.write_all(iter(list(journal)[::-1]))
    data = suite.read(maker.write(), "demo")
    cards = Gallery(data, data.project.notebooks).first[0].cards
    assert [card.said[0].caption.text for card in cards if card.said[0].caption] == ["One.", "Two."]


def exported(project: Project, tag: str, *further: str) -> Path:
    """A notebook that shows a tag, and pieces beside it, as pages."""
    executed = project.runs / "analysis" / "demo" / "k" / "notebook.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    for stale in executed.parent.glob("scenes-*.html"):
        stale.unlink()
    for number, piece in enumerate(further, start=2):
        (executed.parent / f"scenes-{number}.html").write_text(piece)
    output = new_output("display_data", {"text/html": tag})
    nbformat.write(new_notebook(cells=[new_code_cell("f()", outputs=[output])]), executed)
    index = project.reports / "demo" / "index.html"
    export(project, executed, index)
    return index


def test_pieces_beside_the_notebook_become_pages_and_old_ones_go(maker: SuiteMaker) -> None:
    index = exported(maker.project, "<p>one</p>", "<h1>two</h1>", "<h1>three</h1>")
    assert "<title>three</title>" in index.with_name("scenes-3.html").read_text()
    assert 'href="index.html"' in index.with_name("scenes-2.html").read_text()
    exported(maker.project, "<p>one</p>", "<h1>two again</h1>")
    assert sorted(path.name for path in index.parent.glob("*.html")) == [
        "index.html", "scenes-2.html",
    ]  # fmt: skip
    assert "two again" in index.with_name("scenes-2.html").read_text()


def pictures_in(page: Path) -> list[bytes]:
    found = re.findall(r'src="data:image/\w+;base64,([^"]*)"', page.read_text())
    return [base64.b64decode(one) for one in found]


def noise(path: Path, width: int, height: int) -> bytes:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=85)
    return path.read_bytes()


@pytest.mark.parametrize(("size", "at_most"), [("large", 11_000), ("small", 3_600)])
@pytest.mark.parametrize("shape", [(336, 189), (189, 336), (1280, 720)])
def test_even_noise_is_made_to_fit(
    maker: SuiteMaker, size: str, at_most: int, shape: tuple[int, int]
) -> None:
    noise(maker.project.runs / "x.jpg", *shape)
    page = exported(maker.project, f'<img src="../../../x.jpg" data-size="{size}">')
    (shown,) = pictures_in(page)
    assert len(shown) <= at_most
    with Image.open(io.BytesIO(shown)) as picture:
        width, height = picture.size
    assert width / height == pytest.approx(shape[0] / shape[1], rel=0.05)
    assert max(width, height) >= 60


def test_pictures_that_fit_are_taken_as_they_are(maker: SuiteMaker) -> None:
    path = maker.project.runs / "x.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (336, 189), "navy").save(path)
    page = exported(maker.project, '<img src="../../../x.png" data-size="large">')
    assert pictures_in(page) == [path.read_bytes()]


def test_pictures_of_an_edited_notebook_keep_their_size(maker: SuiteMaker) -> None:
    drawn = noise(maker.project.runs / "chart.jpg", 640, 360)
    assert pictures_in(exported(maker.project, '<img src="../../../chart.jpg">')) == [drawn]


def bomb(kind: str, side_px: int) -> bytes:
    """A picture of few bytes and very many pixels, all of them black."""
    if kind == "GIF":
        size = side_px.to_bytes(2, "little") * 2
        frame = b"," + bytes(4) + size + b"\x80" + bytes(6) + b"\x02\x02L\x01\x00;"
        return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + frame
    row = bytes(1 + side_px // 8 + 1)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(min(side_px, 6000))) + packer.flush()
    shape = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", shape), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def badge_for(maker: SuiteMaker, name: str, content: bytes, size: str) -> str:
    """The page where a picture should be, with another picture beside it."""
    maker.project.runs.mkdir(exist_ok=True)
    (maker.project.runs / name).write_bytes(content)
    whole = noise(maker.project.runs / "whole.jpg", 64, 36)
    tags = f'<img src="../../../{name}"{size}><img src="../../../whole.jpg">'
    page = exported(maker.project, tags)
    assert pictures_in(page) == [whole]
    return page.read_text()


@pytest.mark.parametrize("content", [b"x" * 50_000, b"", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0"])
def test_a_thumbnail_that_is_no_picture_is_a_badge_and_the_report_goes_on(
    maker: SuiteMaker, content: bytes
) -> None:
    assert "picture not shown</span>" in badge_for(maker, "x.jpg", content, ' data-size="large"')


@settings(derandomize=True, deadline=None, max_examples=8)
@given(
    kind=st.sampled_from(["PNG", "GIF"]),
    side_px=st.integers(5800, 65_000),
    size=st.sampled_from(["", ' data-size="large"', ' data-size="small"']),
)
@example(kind="PNG", side_px=30_000, size=' data-size="large"')
def test_a_picture_that_unpacks_to_gigabytes_is_a_badge_and_takes_none(
    tmp_path_factory: pytest.TempPathFactory, kind: str, side_px: int, size: str
) -> None:
    maker = SuiteMaker(tmp_path_factory.mktemp("bomb"))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    page = badge_for(maker, f"x.{kind.lower()}", bomb(kind, side_px), size)
    assert "picture not shown</span>" in page
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100_000
