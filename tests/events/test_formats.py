"""Files of events: what is written can be read, and what cannot be read is told in one line."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.events.formats import (
    LARGEST_BYTES,
    read_events,
    read_halves,
    write_chapters,
    write_csv,
    write_soccernet,
)
from kairos_lib.events.records import Event

SEEDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NASTY = (
    "=1+1",
    "a,b",
    'say "hi"',
    "two\r\nlines",
    "\n",
    " x ",
    "日本",
    "<b>&amp;-->",
    "#",
    "\ufeff",
)

texts = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=5)
times_s = st.floats(0, 9000) | st.integers(0, 9000).map(float)


@st.composite
def event_of(draw: st.DrawFn) -> Event:
    time_s = draw(times_s)
    return Event(
        label=draw(texts.filter(str.strip)),
        time_s=time_s,
        end_s=draw(st.none() | st.floats(0, 60).map(lambda more_s: time_s + more_s)),
        confidence=draw(st.sampled_from([0.0, 0.25, 1.0]) | st.floats(0, 1)),
        team=draw(texts),
        details=draw(texts),
        visibility=draw(st.sampled_from(["visible", "not shown"])),
    )


lists = st.lists(event_of(), max_size=4)


def rounded(event: Event) -> Event:
    """To the millisecond."""
    end_s = None if event.end_s is None else round(event.end_s * 1000) / 1000
    return event.model_copy(update={"time_s": round(event.time_s * 1000) / 1000, "end_s": end_s})


def soccernet(path: Path, *entries: Any, kind: str = "predictions") -> Path:
    path.write_text(json.dumps({"UrlLocal": "", kind: entries}))
    return path


@SEEDED
@given(lists)
def test_csv_is_read_as_it_was_written(tmp_path: Path, events: list[Event]) -> None:
    write_csv(tmp_path / "events.csv", events)
    assert read_events(tmp_path / "events.csv") == tuple(events)
    assert read_halves(tmp_path / "events.csv") == (tuple(events), ())


@SEEDED
@given(lists, st.sampled_from(["predictions", "annotations"]))
def test_soccernet_json_is_read_as_it_was_written_to_the_millisecond(
    tmp_path: Path, events: list[Event], kind: Any
) -> None:
    path = tmp_path / "events.json"
    write_soccernet(path, events, kind)
    assert read_events(path) == tuple(map(rounded, events))


@SEEDED
@given(lists, st.sampled_from([0.0, 45.0, 2700.5]))
def test_halves_are_written_from_their_own_start_and_put_together_again(
    tmp_path: Path, events: list[Event], second_half_s: float
) -> None:
    path = tmp_path / "events.json"
    write_soccernet(path, events, second_half_s=second_half_s)
    assert read_events(path, second_half_s=second_half_s) == tuple(map(rounded, events))
    first, second = read_halves(path)
    assert len(first) + len(second) == len(events)
    assert all(event.time_s < second_half_s for event in first)


def test_labels_as_soccernet_publishes_them_are_read(tmp_path: Path) -> None:
    path = soccernet(
        tmp_path / "Labels-v2.json",
        {
            "gameTime": "1 - 03:12", "label": "Ball out of play", "position": "192345",
            "team": "not applicable", "visibility": "not shown",
        },
        {"gameTime": "2 - 47:01", "label": "Goal", "position": "2821000", "team": "home"},
        {"gameTime": "2 - 100:01", "label": "Foul"},
        kind="annotations",
    )  # fmt: skip
    first, second = read_halves(path, ["Ball out of play", "Goal", "Foul"])
    assert first == (
        Event(
            label="Ball out of play", time_s=192.345, team="not applicable", visibility="not shown"
        ),
    )
    assert [(event.label, event.time_s) for event in second] == [("Goal", 2821), ("Foul", 6001)]
    assert [e.time_s for e in read_events(path, second_half_s=2800)] == [192.345, 5621, 8801]


def test_predictions_as_soccernet_has_them_are_read_and_written(tmp_path: Path) -> None:
    path = soccernet(
        tmp_path / "results_spotting.json",
        {"gameTime": "1 - 0:31", "label": "Foul", "position": "31500", "half": "1",
         "confidence": 0.25},
        {"label": "Goal", "position": 2000, "half": 2, "confidence": "0.5"},
    )  # fmt: skip
    first, second = read_halves(path)
    assert first == (Event(label="Foul", time_s=31.5, confidence=0.25),)
    assert second == (Event(label="Goal", time_s=2, confidence=0.5),)
    write_soccernet(
        path, [*first, Event(label="Goal", time_s=102, confidence=0.5)], "predictions", 100
    )
    assert json.loads(path.read_text())["predictions"] == [
        {"gameTime": "1 - 00:31", "label": "Foul", "position": "31500", "half": "1",
         "confidence": 0.25},
        {"gameTime": "2 - 00:02", "label": "Goal", "position": "2000", "half": "2",
         "confidence": 0.5},
    ]  # fmt: skip


def test_a_file_without_halves_is_one_video(tmp_path: Path) -> None:
    path = soccernet(
        tmp_path / "a.json", {"label": "a", "position": 500}, {"label": "b", "gameTime": "75:03"}
    )
    for second_half_s in (None, 2700):
        found = read_events(path, second_half_s=second_half_s)
        assert [event.time_s for event in found] == [0.5, 4503]
    assert [len(half) for half in read_halves(path)] == [2, 0]


def test_csv_needs_a_label_and_a_time_alone_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV"
    path.write_bytes("\ufeff time_s ,label,end_s\r\n1.5,Goal,\r\n\r\n 2e0,Foul,3\r\n".encode())
    assert read_events(path) == (
        Event(label="Goal", time_s=1.5),
        Event(label="Foul", time_s=2, end_s=3),
    )


def test_what_a_spreadsheet_would_take_for_a_formula_stays_text(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [Event(label='=A1,"x"', time_s=1)])
    rows = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text(), newline="")))
    assert rows[1] == ['=A1,"x"', "1.0", "", "1.0", "", "", "visible"]


CUE = re.compile(r"(\d+)\n(\d{2,}:\d\d:\d\d\.\d{3}) --> (\d{2,}:\d\d:\d\d\.\d{3})\n([^\n]+)\n")


def cues(path: Path) -> list[tuple[str, str, str]]:
    """Start, end and text of each cue; the file must hold nothing else."""
    head, *blocks = path.read_text(encoding="utf-8").split("\n\n")
    assert head.strip() == "WEBVTT"
    found = [CUE.fullmatch(block.rstrip("\n") + "\n") for block in blocks]
    assert [cue and cue[1] for cue in found] == [str(n + 1) for n in range(len(found))]
    return [cue.groups()[1:] for cue in found if cue]  # type: ignore[misc]


def test_chapters_end_with_the_event_or_after_some_seconds_or_where_the_next_begins(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.vtt"
    write_chapters(
        path,
        [
            Event(label="Goal", time_s=3601.5, team="home", details="a <b>header</b>\n& more"),
            Event(label="Foul", time_s=10, end_s=12.3456),
            Event(label="Corner", time_s=20),
            Event(label="Card", time_s=22, end_s=3700),
            Event(label="Foul", time_s=22.0004),
        ],
    )
    assert cues(path) == [
        ("00:00:10.000", "00:00:12.346", "Foul"),
        ("00:00:20.000", "00:00:22.000", "Corner"),
        ("00:00:22.000", "01:00:01.500", "Card"),
        ("00:00:22.000", "01:00:01.500", "Foul"),
        ("01:00:01.500", "01:00:06.500", "Goal (home): a &lt;b&gt;header&lt;/b&gt; &amp; more"),
    ]


@SEEDED
@given(lists)
@example([Event(label="late", time_s=1.7e308)])
def test_every_event_is_one_chapter_that_others_read(tmp_path: Path, events: list[Event]) -> None:
    path = tmp_path / "a.vtt"
    write_chapters(path, events)
    found = cues(path) if events else []
    assert len(found) == len(events)
    assert all(start < end for start, end, _ in found if len(start) == len(end) == 12)
    if events and max(event.time_s for event in events) < 9001:
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux() if packet.size]
        assert len(packets) == len(set(found))  # FFmpeg reads what is there twice once.


GOOD = {"label": "Goal", "position": "1000"}
HEAD = "label,time_s,confidence\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", r"a.json, line 1: not valid JSON"),
        ("[" * 100_000, r"a.json: not SoccerNet's JSON: lists too deep in lists"),
        ("9" * 5000, r"a.json: not valid JSON"),
        ("[]", r"a.json: has neither of 'annotations' and 'predictions'"),
        ({"annotations": [], "predictions": []}, r"has both of 'annotations' and"),
        ({"predictions": {}}, r"'predictions' must be a list"),
        ([GOOD, "x"], r"a.json, entry 2 of predictions: 'x' must be an object"),
        ([{"label": "Goal"}], r"entry 1 of predictions: no position \(milliseconds\) and no gameT"),
        ([{"position": "1"}], r"no label"),
        ([GOOD | {"label": 3}], r"label 3 must be a text"),
        ([GOOD | {"label": " "}], r"the label is empty"),
        ([GOOD | {"label": "a\x1b[2J"}], r"label '.*' has characters that cannot be shown"),
        ([GOOD | {"label": "Gaol"}], r"unknown label 'Gaol': did you mean 'Goal'\?"),
        ([GOOD | {"position": "soon"}], r"position 'soon' must be a number"),
        ([GOOD | {"position": "1_000"}], r"position '1_000' must be a number"),
        ([GOOD | {"position": None}], r"position None must be a number"),
        ([GOOD | {"position": True}], r"position True must be a number"),
        ([GOOD | {"position": 10**400}], r"position 1000.* must be a number"),
        ([GOOD | {"position": float("nan")}], r"position nan must be a number"),
        ([GOOD | {"position": 0.5}], r"position 0.5 must be whole milliseconds"),
        ([GOOD | {"position": "-500"}], r"position '-500' is before the start"),
        ([GOOD | {"end_position": "999"}], r"it begins at 1.0 s and cannot end at 0.999 s"),
        ([GOOD | {"gameTime": "at once"}], r"gameTime 'at once' must be as '1 - 03:12'"),
        ([GOOD | {"gameTime": 5}], r"gameTime 5 must be a text"),
        ([GOOD | {"half": 3}], r"half 3 must be 1 or 2"),
        ([GOOD | {"gameTime": "1 - 00:01", "half": "2"}], r"name different halves"),
        ([GOOD, GOOD | {"half": "2"}], r"entry 2 of predictions is of half 2, but entry 1 says no"),
        ([GOOD | {"half": "2"}, GOOD], r"entry 1 of predictions is of half 2, but entry 2 says no"),
        ([GOOD | {"half": "2"}], r"entry 1: is of half 2: say where that begins"),
        ([GOOD | {"confidence": 1.5}], r"confidence 1.5 must be from 0 to 1"),
        ([GOOD | {"confidence": float("nan")}], r"confidence nan must be a number"),
        ([GOOD | {"visibility": "hidden"}], r"visibility 'hidden' must be visible or not shown"),
        ([GOOD | {"visibility": "x" * 10**6}], r"must be visible or not shown"),
    ],
)  # fmt: skip
def test_soccernet_json_that_cannot_be_read_is_told(
    tmp_path: Path, content: Any, told: str
) -> None:
    path = tmp_path / "a.json"
    if isinstance(content, list):
        content = {"predictions": content}
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    refused(path, told, ["Goal"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", r"a.csv, line 1: no column 'label'"),
        ("Goal,12\n", r"line 1: no column 'label': the first line must name the columns"),
        ("label;time_s\nGoal;12\n", r"line 1: no column 'label'"),
        ("label,time_s,note\n", r"line 1: unknown column 'note': did you mean 'team'"),
        ("label,time_s,label\n", r"the column 'label' is there twice"),
        (HEAD + "Goal,1\n", r"line 2: has 2 cells and the header 3"),
        (HEAD + 'Goal,1,1\n"a\nb",2\n', r"line 3: has 2 cells"),
        (HEAD + 'Goal,1,1\n"Goal,2,1\n', r"line 3: not valid CSV"),
        (HEAD + "x" * 200_000 + ",1,1\n", r"line 2: not valid CSV"),
        (HEAD + ",1,1\n", r"line 2: the label is empty"),
        (HEAD + "Goal,,1\n", r"line 2: time_s '' must be a number"),
        (HEAD + "Goal,03:12,1\n", r"line 2: time_s '03:12' must be a number, such as 12.5"),
        (HEAD + "Goal,nan,1\n", r"line 2: time_s 'nan' must be a number"),
        (HEAD + "Goal,1e999,1\n", r"line 2: time_s '1e999' must be a number"),
        (HEAD + "Goal,-1,1\n", r"line 2: the time -1.0 s is not in the video"),
        (HEAD + "Goal,1,2\n", r"line 2: confidence 2.0 must be from 0 to 1"),
        (HEAD + "Goals,1,1\n", r"line 2: unknown label 'Goals': did you mean 'Goal'\?"),
        ("label,time_s,end_s\nGoal,2,1\n", r"line 2: it begins at 2.0 s and cannot end at 1.0 s"),
    ],
)  # fmt: skip
def test_csv_that_cannot_be_read_is_told(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    refused(path, told, ["Goal"])


def refused(path: Path, told: str, labels: list[str] | None = None) -> None:
    with pytest.raises(KairosError, match=told) as error:
        read_events(path, labels)
    line = str(error.value)
    assert line.startswith(str(path)) and len(line.replace(str(path), "")) < 300
    assert "\n" not in line


def test_files_that_are_none_of_events_are_told(tmp_path: Path) -> None:
    refused(tmp_path / "a.txt", "its name must end in .json or .csv")
    refused(tmp_path / "a.csv", "cannot be read")
    (tmp_path / "a.json").mkdir()
    refused(tmp_path / "a.json", "cannot be read")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe")
    refused(tmp_path / "b.csv", "not text in UTF-8")
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    refused(tmp_path / "big.json", "holds more than 33,554,432 bytes")


def test_an_event_of_the_first_half_after_the_second_has_begun_is_told(tmp_path: Path) -> None:
    path = soccernet(tmp_path / "a.json", {"label": "a", "position": 50_000, "half": 1})
    with pytest.raises(KairosError, match=r"entry 1: of half 1, is at 50.0 s, when the second"):
        read_events(path, second_half_s=50)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Event(label=" ", time_s=1), "the label is empty"),
        (Event(label="\x00", time_s=1), "characters that cannot be shown"),
        (Event(label="a", time_s=1, details="\ud800"), "characters that cannot be shown"),
        (Event(label="a", time_s=1, end_s=float("nan")), "cannot end at nan"),
        (Event(label="a", time_s=1, end_s=0.5), "cannot end at 0.5"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, event: Event, why: str
) -> None:
    good = Event(label="a", time_s=0)
    for write in (write_csv, write_soccernet, write_chapters):
        with pytest.raises(KairosError, match=f"event 2 cannot be written: .*{why}"):
            write(tmp_path / "a", [good, event])
    assert list(tmp_path.iterdir()) == []
