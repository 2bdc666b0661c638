"""The lanes of a video's timeline, as the page and the notebook show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.found_videos import MADE_UP, OWN, STRIP, change_stage, found_video, own_analyzers
from helpers.suites import SuiteMaker

from kairos_lib.errors import KairosError
from kairos_lib.pipeline.lanes import MARKS_AT_MOST, OTHERS, ROWS_AT_MOST, Lane, lanes
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.timeline_figure import timeline_figure
from kairos_lib.runs.files import read_record

Of = Callable[[str], dict[str, Lane]]


def read(folder: Path) -> dict[str, Lane]:
    result = read_record(folder / "result.json", BaseResult)
    assert result is not None
    return {lane.analyzer: lane for lane in lanes(folder, result)}


@pytest.fixture
def folder(maker: SuiteMaker, tmp_path: Path) -> Iterator[Path]:
    with own_analyzers(tmp_path / "own", **OWN):
        yield found_video(maker)


@pytest.fixture
def strip(maker: SuiteMaker, tmp_path: Path) -> Iterator[Of]:
    """The lanes of a video of one minute in which an analyzer marks what is asked for."""

    def of(marks: str) -> dict[str, Lane]:
        source = re.sub(r"return \[Mark.*", f"return {marks}", STRIP)
        with own_analyzers(tmp_path / "own", made_up=MADE_UP, strip=source):
            return read(found_video(maker))

    yield of


def test_scenes_come_first_and_every_analyzer_that_marks_has_a_lane(folder: Path) -> None:
    assert list(read(folder)) == ["scenes", "speech", "sounds", "objects", "made_up", "strip"]


def test_labels_of_scenes_are_the_lane_of_an_analyzer_without_marks(folder: Path) -> None:
    rows = {row.text: row.marks for row in read(folder)["sounds"].rows}
    assert set(rows) == {"applause", "whistle"}
    assert [(mark.start_s, mark.end_s) for mark in rows["whistle"]][:2] == [(5, 10), (15, 20)]


def test_an_analyzer_that_could_mark_and_found_nothing_has_no_lane(
    maker: SuiteMaker, tmp_path: Path
) -> None:
    source = re.sub(r"return \[Mark.*", "return []", MADE_UP)
    with own_analyzers(tmp_path / "own", **{**OWN, "made_up": source}):
        assert "made_up" not in read(found_video(maker))


def test_an_analyzer_with_labels_but_without_scenes_has_no_lane(
    maker: SuiteMaker, tmp_path: Path
) -> None:
    source = STRIP.replace("def marks", "def unused").replace("heading:", "filter_title:")
    with own_analyzers(tmp_path / "own", **{**OWN, "strip": source}):
        assert "strip" not in read(found_video(maker))


def test_a_lane_of_an_analyzer_that_did_not_run_is_not_there(folder: Path) -> None:
    change_stage(folder, "sounds", state="skipped", reason="no weights")
    assert "sounds" not in read(folder)


def test_sentences_share_a_row_and_kinds_of_things_have_one_each(folder: Path) -> None:
    found = read(folder)
    (said,) = found["speech"].rows
    assert said.text == ""
    assert said.marks[1].text == "Sentence 2 of the game."
    assert [row.text for row in found["objects"].rows] == ["ball"]


def test_values_at_moments_go_on_until_the_next(folder: Path) -> None:
    (row,) = read(folder)["made_up"].rows
    assert [(mark.start_s, mark.end_s) for mark in row.marks[:2]] == [(2.5, 7.5), (7.5, 12.5)]
    assert read(folder)["made_up"].curve


def test_one_curve_is_one_row_whatever_its_heights_are_called(strip: Of) -> None:
    marks = "[Mark(n, n + 1, f'{n % 3} faces', level=n % 3 / 2) for n in range(60)]"
    (row,) = strip(marks)["strip"].rows
    assert len(row.marks) == 60
    two = "[Mark(n, n, name, level=0.5) for n in range(60) for name in ('loud', 'low')]"
    assert [row.text for row in strip(two)["strip"].rows] == ["loud", "low"]


def test_colours_are_one_strip_that_needs_no_names(strip: Of) -> None:
    marks = "[Mark(n, n + 1, 'grey', colour='#80808' + str(n % 4)) for n in range(60)]"
    (row,) = strip(marks)["strip"].rows
    assert (row.text, len(row.marks)) == ("", 60)


def test_rare_texts_share_the_last_row(strip: Of) -> None:
    lane = strip("[Mark(n, n + 1, f'kind {n % 9}') for n in range(54)]")["strip"]
    assert len(lane.rows) == ROWS_AT_MOST
    assert lane.rows[-1].text == OTHERS
    assert sum(len(row.marks) for row in lane.rows) == 54


def test_what_is_said_at_the_same_time_is_in_rows_of_its_own(strip: Of) -> None:
    rows = strip("[Mark(n // 2, n // 2 + 1, f'word {n}') for n in range(20)]")["strip"].rows
    assert [len(row.marks) for row in rows] == [10, 10]
    for row in rows:
        ends = [mark.end_s for mark in row.marks]
        assert all(mark.start_s >= end for mark, end in zip(row.marks[1:], ends, strict=False))


def test_marks_end_with_the_video(strip: Of) -> None:
    (row,) = strip("[Mark(-5, 99, 'all of it')]")["strip"].rows
    assert (row.marks[0].start_s, row.marks[0].end_s) == (0, 60)


def test_too_many_marks_are_counted_and_the_longest_drawn(strip: Of) -> None:
    lane = strip("[Mark(n / 100, n / 100 + (n % 7) / 1e4, 'one') for n in range(3000)]")["strip"]
    assert lane.left_out == 3000 - MARKS_AT_MOST
    assert min(m.end_s - m.start_s for m in lane.rows[0].marks) > 3e-4


def test_a_curve_of_many_values_keeps_its_peaks_and_its_length(strip: Of) -> None:
    marks = "[Mark(n / 50, n / 50, 'level', level=float(n == 1234)) for n in range(3000)]"
    lane = strip(marks)["strip"]
    drawn = lane.rows[0].marks
    assert len(drawn) <= MARKS_AT_MOST
    assert lane.left_out == 0
    (peak,) = [mark for mark in drawn if mark.level == 1]
    assert peak.start_s <= 1234 / 50 < peak.end_s
    assert (drawn[0].start_s, round(drawn[-1].end_s)) == (0, 60)


def test_a_long_strip_of_colours_is_drawn_to_its_end(strip: Of) -> None:
    marks = "[Mark(n / 50, (n + 1) / 50, 'grey', colour='#808080') for n in range(3000)]"
    lane = strip(marks)["strip"]
    (row,) = lane.rows
    assert lane.left_out == 0
    assert len(row.marks) <= MARKS_AT_MOST
    assert (row.marks[0].start_s, round(row.marks[-1].end_s)) == (0, 60)
    assert all(after.start_s <= one.end_s + 1e-6 for one, after in pairwise(row.marks))


def test_many_moments_are_thinned_in_equal_parts_and_counted(strip: Of) -> None:
    lane = strip("[Mark(n / 50, n / 50, 'cut') for n in range(3000)]")["strip"]
    drawn = lane.rows[0].marks
    assert lane.left_out == 3000 - len(drawn) > 2000
    assert drawn[-1].start_s > 59
    assert all(mark.start_s == mark.end_s for mark in drawn)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("[Mark(3, 1, 'back')]", "the analyzer strip marks from 3 to 1"),
        ("[Mark(0, float('nan'))]", "marks from 0 to nan"),
        ("[Mark(0, 1, colour='red;} x')]", "use #rrggbb"),
        ("[][0]", r"the analyzer strip failed in marks\(\): IndexError"),
    ],
)
def test_marks_that_cannot_be_drawn_are_one_line(strip: Of, marks: str, told: str) -> None:
    with pytest.raises(KairosError, match=told) as raised:
        strip(marks)
    assert len(str(raised.value).splitlines()) == 1


def test_the_figure_has_the_same_rows_and_can_be_changed(folder: Path) -> None:
    drawn = list(read(folder).values())
    figure = timeline_figure(drawn, 60, "Cup $final_ $")
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:5] == ["Scenes", "Said", "Heard: applause", "whistle", "Seen: ball"]
    assert len(names) == sum(len(lane.rows) for lane in drawn) == len(axes.collections)
    assert axes.get_xlim() == (0, 60)
    axes.set_xlabel("minutes")
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_the_figure_of_a_video_without_length_has_empty_rows(folder: Path) -> None:
    drawn = list(read(folder).values())
    figure = timeline_figure(drawn, 0, "Nothing")
    assert len(figure.axes[0].get_yticklabels()) == sum(len(lane.rows) for lane in drawn)
    assert not figure.axes[0].collections
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
