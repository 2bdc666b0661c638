"""A whole run over a clip: in slices or not, killed or not, the events are the same byte for byte.

The model is an adapter that says which frames are dark, with the words and the probabilities that
real ones are tried with elsewhere: what is tried here is all that is around it.
"""

from __future__ import annotations

import json

import pytest
from helpers.light_meter import TASK, LightMeter
from helpers.projects import write_parameters

from kairos_lib.errors import KairosError
from kairos_lib.events.events_session import EventsSession
from kairos_lib.events.records import WindowAnswer
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.adapter import Adapter


@pytest.fixture
def ready(unloaded: Project) -> Project:
    write_parameters(unloaded, "events", "light", TASK)
    return unloaded


def opened(part: dict[str, object] | None = None, **task: object) -> EventsSession:
    return EventsSession.open("tiny", "twelve", "light", part, {"task": task} if task else None)


def work(session: EventsSession, adapter: Adapter | None) -> EventsSession:
    try:
        session.load(adapter)
        session.ask()
        session.merge()
        session.finish()
    finally:
        session.lock.release()
    return session


def files(session: EventsSession) -> tuple[bytes, list[dict[str, object]]]:
    """The events, and what was said of each window, times left out."""
    own = {"timing", "elapsed_s", "part", "batch_size"}
    windows = [a.model_dump(exclude=own) for a in Journal(session.run.file("windows.jsonl"),
                                                          WindowAnswer)]  # fmt: skip
    return session.run.file("events.jsonl").read_bytes(), windows


@pytest.fixture
def whole(ready: Project) -> tuple[bytes, list[dict[str, object]]]:
    """What a run comes to that nothing disturbs; put out of the way."""
    session = work(opened(), LightMeter())
    found = files(session)
    session.run.folder.rename(ready.root / "undisturbed")
    return found


def test_a_run_finds_what_there_is_and_says_how_sure_it_is(
    whole: tuple[bytes, list[dict[str, object]]],
) -> None:
    events = [json.loads(line) for line in whole[0].splitlines()]
    dark = [event for event in events if event["label"] == "Dark"]
    assert [event["time_s"] for event in dark] == pytest.approx([7.5], abs=1.0)
    assert 0.3 < dark[0]["confidence"] <= 0.9
    assert dark[0]["details"] == "it's dark <b>"
    assert {event["label"] for event in events} == {"Dark", "Bright"}
    assert len(whole[1]) == 12


def test_a_window_says_which_frame_its_event_is_in_and_how_probable_its_label_was(
    ready: Project,
) -> None:
    answers = {a.window: a for a in work(opened(), LightMeter()).asking.answers}
    dark = answers[6]
    assert (dark.label, dark.said) == ("Dark", "Night")
    assert dark.time_s == pytest.approx(7.0, abs=0.05)
    # Five tokens from an odd place on, each second one of which is half as probable as 0.6.
    place = dark.text.index("Night")
    expected = [0.6 / (1 + at % 2) for at in range(place, place + 5)]
    assert dark.probability == pytest.approx(sum(expected) / 5, abs=1e-4)
    assert answers[7].time_s == pytest.approx(7.0, abs=0.05)
    late = work(opened({"from_s": 6.0}), LightMeter(late_s=2.5)).asking.answers
    assert [a.time_s for a in late if a.label == "Dark"] == [None, None]


@pytest.mark.parametrize("slices", [2, 3, 4, 7])
def test_slices_come_to_the_same_byte_for_byte(
    ready: Project, whole: tuple[bytes, list[dict[str, object]]], slices: int
) -> None:
    asked = []
    for number in range(slices, 0, -1):
        meter = LightMeter()
        work(opened({"slice": number, "slices": slices}), meter)
        asked += meter.asked
    last = work(opened({"slices": slices}), None)
    assert files(last) == whole
    assert sorted(asked) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert not last.run.file("slices").exists()
    assert last.result is not None
    assert last.result.slices == slices
    assert last.result.windows == 12


@pytest.mark.parametrize("killed_after", [1, 3, 6, 9])
def test_a_run_that_was_killed_goes_on_in_the_same_batches_whatever_size_is_asked_for(
    ready: Project, whole: tuple[bytes, list[dict[str, object]]], killed_after: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(opened(), LightMeter(stops_after=killed_after))
    with opened().run.file("windows.jsonl").open("ab") as file:
        file.write(b'{"window": 11, "start_s"')
    meter = LightMeter()
    last = work(opened(batch_size=5), meter)
    assert files(last) == whole
    assert all(batch in ([0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]) for batch in meter.asked)


def test_windows_that_were_answered_are_not_asked_about_to_merge_them_otherwise(
    ready: Project, whole: tuple[bytes, list[dict[str, object]]]
) -> None:
    (ready.root / "undisturbed").rename(opened().run.folder.with_name("before"))
    last = work(opened(merge_radius_s=8.0), None)
    assert last.result is not None
    assert last.result.taken_over
    assert len(last.events) < len(whole[0].splitlines())
    assert files(last)[1] == whole[1]


def test_another_question_is_asked_anew(
    ready: Project, whole: tuple[bytes, list[dict[str, object]]]
) -> None:
    (ready.root / "undisturbed").rename(opened().run.folder.with_name("before"))
    other = opened(instruction="Is it dark? {labels}")
    with pytest.raises(KairosError, match="cannot load"):
        work(other, None)


def test_a_window_without_room_is_tried_smaller_and_then_left_out_and_listed(
    ready: Project,
) -> None:
    smaller = work(opened(), LightMeter(room_px=24))
    answers = {a.window: a for a in smaller.asking.answers}
    assert answers[4].frame_size_px == (24, 14)
    assert answers[4].outcome != "failed"
    assert answers[3].frame_size_px == (48, 27)
    none = work(opened({"from_s": 1.0}), LightMeter(room_px=0))
    failed = [a for a in none.asking.answers if a.outcome == "failed"]
    assert [(a.window, a.error) for a in failed] == [(4, "out of memory with one scene: no room")]
    assert none.result is not None
    assert none.result.outcomes["failed"] == 1


def test_a_part_of_a_video_has_a_run_of_its_own(
    ready: Project, whole: tuple[bytes, list[dict[str, object]]]
) -> None:
    part = work(opened({"from_s": 6.0, "to_s": 9.0}), LightMeter())
    assert [a.window for a in part.asking.answers] == [6, 7, 8]
    assert [e.label for e in part.events if e.label == "Dark"] == ["Dark"]


@pytest.mark.parametrize(
    ("part", "said"),
    [({"from_s": 99.0}, "no window begins between 99.0 s"), ({"slice": 2}, "part: slice must be"),
     ({"slise": 1}, "part.slise"), ({"from_s": "x"}, "part.from_s")],
)  # fmt: skip
def test_a_part_that_cannot_be_is_one_line(
    ready: Project, part: dict[str, object], said: str
) -> None:
    with pytest.raises(KairosError, match=rf"^[^\n]*{said}[^\n]*$"):
        opened(part)
