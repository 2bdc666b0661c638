"""The page of a video, and all that was found in it as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from helpers.found_videos import (
    ALERT,
    HANDLER,
    MADE_UP,
    OWN,
    STRIP,
    change_stage,
    found_video,
    own_analyzers,
)  # fmt: skip
from helpers.suites import SuiteMaker

from kairos_lib.errors import KairosError
from kairos_lib.pipeline.lanes import lanes
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.video_data import UNITS, write_video_data
from kairos_lib.report.video_page import write_video_page
from kairos_lib.runs.files import read_record

VOID = ("img", "input", "meta", "br")


class Tags(HTMLParser):
    """All tags of a page, which must be closed as they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@dataclass(frozen=True)
class Made:
    """A page with what it was made from."""

    maker: SuiteMaker
    folder: Path
    path: Path

    @property
    def page(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def again(self) -> str:
        return write_video_page(self.maker.project, self.folder, self.path).read_text("utf-8")


def make(root: Path, **video: Any) -> Made:
    maker = SuiteMaker(root)
    folder = found_video(maker, **video)
    path = root / "reports" / "base" / "match" / "index.html"
    return Made(maker, folder, write_video_page(maker.project, folder, path))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("page")
    with own_analyzers(root / "own", **OWN):
        yield make(root / "project", title=f"Cup {ALERT}")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Made]:
    """One that a test may change."""
    with own_analyzers(tmp_path / "own", **OWN):
        yield make(tmp_path / "project", scenes=3)


def test_it_is_one_file_that_names_no_address_and_runs_only_its_script(made: Made) -> None:
    tags = Tags(made.page)
    assert tags.open == []
    assert [tag for tag, _ in tags.found].count("script") == 1
    links = [v for _, attrs in tags.found for k, v in attrs.items() if k in ("src", "href")]
    assert {str(link).partition(":")[0] for link in links if not str(link).startswith("#")} == {
        "data", "video.json", "video.schema.json",
    }  # fmt: skip
    assert not [k for _, attrs in tags.found for k in attrs if k.startswith("on")]
    assert "default-src &#39;none&#39;" in made.page or "default-src 'none'" in made.page


def test_nothing_that_an_analyzer_or_a_title_says_is_markup(made: Made) -> None:
    assert ALERT not in made.page
    assert HANDLER not in made.page
    assert made.page.count("&lt;script&gt;alert(1)") > 12
    tags = Tags(made.page)
    assert len([tag for tag, _ in tags.found if tag == "img"]) == 12


def test_it_begins_with_title_length_size_and_key_figures(made: Made) -> None:
    assert "1m 00s · 640×360 · 25 frames per second" in made.page
    figures = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd></div>\n", made.page))
    assert figures["Scenes"] == "12"
    assert figures["Words"] == "30"
    assert figures["Speech"] == "24.0 s"


def test_headings_are_in_order_without_a_gap(made: Made) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])", made.page)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_each_mark_leads_to_the_scene_in_which_it_begins(made: Made) -> None:
    marks = re.findall(r'<a href="#(scene-\d+)" aria-label="([^"]*)"', made.page)
    said = {label: scene for scene, label in marks}
    assert said["Said: Sentence 4 of the game., 0:20.5–0:24.5"] == "scene-5"
    assert said["Seen: ball, 0:15.0–0:20.0"] == "scene-4"
    ids = set(re.findall(r'<article class="scene" id="([^"]+)"', made.page))
    assert {scene for scene, _ in marks} <= ids


def test_boxes_are_those_of_the_frame_nearest_to_the_picture(made: Made) -> None:
    first, second = re.findall(r'<div class="shot".*?</svg>', made.page, re.S)[:2]
    # The middle of the first scene is at 2.5 s: of those at 2 s and at 3 s it is the earlier.
    assert 'x="20.0%" y="30.0%" width="20.0%" height="30.0%"' in first
    assert first.count("<rect") == 2
    assert second.count("<rect") == 1


def test_boxes_far_from_the_picture_are_not_drawn(tmp_path: Path) -> None:
    source = MADE_UP.replace("Box(one.time_s,", "Box(one.time_s + 1.5,")
    with own_analyzers(tmp_path / "own", **{**OWN, "made_up": source}):
        page = make(tmp_path / "project", scenes=3).page
    assert len(re.findall(r'<rect class="tone-\d"', page)) == 1


def test_boxes_that_stay_are_drawn_on_the_pictures_of_their_time_alone(tmp_path: Path) -> None:
    # Pictures are of 2.5, 7.5 and 12.5 s, as are the records.
    spans = "Box(one.time_s - 2, (0, 0.2, 0.5, 0.9), name, one.time_s + after)"
    source = MADE_UP.replace("return [Box(one.time_s, (0.1, 0.2, 0.5, 0.9), HANDLER) for one in "
                             "records]", f"return [{spans} for one in records for name, after "
                             "in (('stays', 1), ('is gone', -0.2))]")  # fmt: skip
    with own_analyzers(tmp_path / "own", **{**OWN, "made_up": source}):
        page = make(tmp_path / "project", scenes=3).page
    assert "stays" in page
    assert "is gone" not in page


def test_what_was_skipped_or_failed_is_named_with_its_reason(other: Made) -> None:
    change_stage(other.folder, "sounds", state="skipped", reason="no weights", remedy="run `x`")
    change_stage(other.folder, "objects", state="failed", reason=f"out of memory {ALERT}")
    page = other.again()
    lines = re.findall(r"<li><b>(.*?)</b> <span[^>]*>(.*?)</span> (.*?)</li>", page)
    assert lines == [
        ("sounds", "skipped", "no weights; run `x`"),
        ("objects", "failed", "out of memory &lt;script&gt;alert(1)&lt;/script&gt;"),
    ]
    assert page.count("not listened to") == page.count("not searched for objects") == 3


def test_nothing_missing_is_no_section(made: Made) -> None:
    assert "What is missing" not in made.page


def test_an_analyzer_that_is_gone_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    with own_analyzers(tmp_path / "own", **OWN):
        made = make(tmp_path / "project", scenes=3)
    with own_analyzers(tmp_path / "none"):
        page = made.again()
    assert "its analyzer is not here" in page
    assert "Sentence 2 of the game." in page
    assert "made_up" not in json.loads(made.path.with_name("video.json").read_text())["analyzers"]


def test_a_picture_that_is_gone_is_said_and_the_scene_is_listed(other: Made) -> None:
    for path in (other.folder / "thumbnails").glob("00001-*"):
        path.unlink()
    page = other.again()
    assert page.count("No picture.") == 1
    assert page.count('class="scene"') == 3


def test_more_scenes_than_fit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kairos_lib.report.sections.scene_list.SCENES_AT_MOST", 4)
    with own_analyzers(tmp_path / "own", **OWN):
        made = make(tmp_path / "project", scenes=6)
    assert "2 more scenes are not listed here" in made.page
    assert made.page.count('class="scene"') == 4
    assert len(json.loads(made.path.with_name("video.json").read_text())["scenes"]) == 6


def test_a_run_without_a_result_is_one_line(other: Made) -> None:
    (other.folder / "result.json").unlink()
    with pytest.raises(KairosError, match="no result yet"):
        other.again()


def test_a_broken_view_names_its_analyzer(tmp_path: Path) -> None:
    source = MADE_UP.replace("records[0].text", "records[99].text")
    with (
        own_analyzers(tmp_path / "own", **{**OWN, "made_up": source}),
        pytest.raises(KairosError, match=r"analyzer made_up failed in view\(\): IndexError"),
    ):
        make(tmp_path / "project", scenes=3)


@pytest.fixture
def data(made: Made) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = made.path.parent
    return (
        json.loads((folder / "video.json").read_text()),
        json.loads((folder / "video.schema.json").read_text()),
    )


def test_the_data_has_everything_by_analyzer_and_by_scene(
    data: tuple[dict[str, Any], dict[str, Any]], made: Made
) -> None:
    found, _ = data
    objects = found["analyzers"]["objects"]
    lines = (made.folder / "objects.jsonl").read_text().splitlines()
    assert objects["records"] == [json.loads(line) for line in lines]
    assert objects["figures"]["Kinds of objects"] == "1"
    assert objects["marks"][0]["text"] == "ball"
    scene = found["scenes"][3]
    assert (scene["number"], scene["start_s"], scene["end_s"]) == (4, 15, 20)
    assert [objects["records"][n]["time_s"] for n in scene["found"]["objects"]["records"]] == [
        15, 16, 17, 18, 19,
    ]  # fmt: skip
    assert scene["found"]["sounds"] == {"said": "whistle 90%", "labels": ["whistle"],
                                        "records": [3]}  # fmt: skip
    assert found["scenes"][2]["found"]["speech"]["said"] == "Sentence 2 of the game."


def test_the_data_is_as_its_schema_says(
    data: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, schema = data
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(found)
    assert found["$schema"] == "video.schema.json"


def test_what_is_measured_only_for_other_analyzers_is_not_in_the_data(
    data: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, schema = data
    assert "slices" in [stage["name"] for stage in found["stages"]]
    assert "slices" not in found["analyzers"]
    assert "slices" not in schema["$defs"]["ByAnalyzer"]["properties"]


def test_records_of_an_analyzer_that_shows_nothing_are_not_read_for_lanes(
    tmp_path: Path,
) -> None:
    hidden = STRIP.replace("heading:", "unused:").replace("def marks", "def unused_marks")
    with own_analyzers(tmp_path / "own", **{**OWN, "strip": hidden}):
        made = make(tmp_path / "project", scenes=3)
        result = read_record(made.folder / "result.json", BaseResult)
        assert result is not None
        (made.folder / "strip.jsonl").write_text("no record\n")
        assert "strip" not in [lane.analyzer for lane in lanes(made.folder, result)]


@pytest.mark.parametrize(
    ("what", "spoilt", "told"),
    [
        ("level=one.tall_px / 100", "level=one.tall_px * 3.0 - 40", ""),
        ("level=one.tall_px / 100", "level=float('nan')", ""),
        ("Mark(one.time_s,", "Mark(float('nan'),", "the analyzer made_up marks from nan"),
        ('f"{len(records)} {HANDLER}"', "float('nan')", r"made_up failed in figures"),
    ],
)
def test_the_data_has_the_same_marks_as_the_page_or_there_is_one_line(
    tmp_path: Path, what: str, spoilt: str, told: str
) -> None:
    with own_analyzers(tmp_path / "own", **OWN):
        made = make(tmp_path / "project", scenes=3)
    result = read_record(made.folder / "result.json", BaseResult)
    assert result is not None
    with own_analyzers(tmp_path / "other", **{**OWN, "made_up": MADE_UP.replace(what, spoilt)}):
        if told:
            with pytest.raises(KairosError, match=told):
                write_video_data(made.folder, result, tmp_path)
            return
        found = json.loads(write_video_data(made.folder, result, tmp_path).read_text())
    assert all(0 <= mark["level"] <= 1 for mark in found["analyzers"]["made_up"]["marks"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found["analyzers"]["objects"]["records"][0].pop("box"),
        lambda found: found["analyzers"]["made_up"]["records"][0].update(tall_px="high"),
        lambda found: found["scenes"][0].update(start_s=None),
        lambda found: found["analyzers"].pop("speech"),
        lambda found: found["video"].update(more=1),
    ],
)
def test_the_schema_refuses_what_is_not_so(
    data: tuple[dict[str, Any], dict[str, Any]], spoil: Any
) -> None:
    found, schema = data
    spoil(found)
    assert not jsonschema.Draft202012Validator(schema).is_valid(found)


def test_the_schema_tells_units_and_what_fields_mean(
    data: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    kinds = data[1]["$defs"]
    assert kinds["Shade"]["properties"]["tall_px"]["description"] == (
        "How high it stands. In pixels."
    )
    assert kinds["Detection"]["properties"]["time_s"]["description"] == "In seconds."
    assert "shares of the frame" in kinds["Detection"]["properties"]["box"]["description"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("pan_px_per_s", "In pixels per second."),
        ("zoom_percent_per_s", "In percent per second."),
        ("temperature_k", "In kelvins."),
        ("start_s", "In seconds."),
    ],
)
def test_a_field_is_described_by_the_longest_unit_its_name_ends_with(name: str, unit: str) -> None:
    assert next(text for end, text in UNITS.items() if name.endswith(end)) == unit
