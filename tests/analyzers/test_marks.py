"""What analyzers say of their records on a timeline, on pictures and in figures."""

from __future__ import annotations

import math

import pytest

from kairos_lib.analyzers.analyzer import find
from kairos_lib.analyzers.marks import Box, Mark
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sightings import joined
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.media.scene import Scene

BOX = (0.1, 0.2, 0.3, 0.4)


def seen(time_s: float, label: str, track: int | None = None) -> Detection:
    return Detection(scene=0, time_s=time_s, label=label, score=0.9, box=BOX, track_id=track)


def test_sightings_that_follow_one_another_are_one_stretch() -> None:
    ball = [(time_s, "ball") for time_s in (0.0, 0.52, 1.0, 3.0, 3.52)]
    assert joined(ball) == [Mark(0.0, 1.52, "ball"), Mark(3.0, 4.04, "ball")]


def test_each_kind_of_thing_has_stretches_of_its_own() -> None:
    marks = joined([(0.0, "ball"), (0.0, "cup"), (1.0, "cup"), (4.0, "ball")])
    assert [(mark.text, mark.start_s, mark.end_s) for mark in marks] == [
        ("ball", 0.0, 1.0), ("cup", 0.0, 2.0), ("ball", 4.0, 5.0)
    ]  # fmt: skip


def test_a_single_odd_frame_does_not_tear_stretches() -> None:
    times_s = [*(n / 4 for n in range(40)), 9.78]
    (ball,) = joined((time_s, "ball") for time_s in times_s)
    assert (ball.start_s, ball.end_s) == (0, pytest.approx(10, abs=0.05))


@pytest.mark.parametrize("video_fps", [5, 6, 7.5, 10, 24, 25, 30])
def test_what_is_always_in_view_is_one_stretch_at_any_frame_rate(video_fps: float) -> None:
    # The first frame at or after each quarter of a second, as frames are looked at.
    frames = {math.ceil(n / 4 * video_fps - 1e-6) / video_fps for n in range(80)}
    (ball,) = joined((time_s, "ball") for time_s in frames)
    assert (ball.start_s, ball.end_s) == (0, pytest.approx(20, abs=0.3))


def test_rare_sightings_are_apart_and_none_is_no_mark() -> None:
    assert [mark.start_s for mark in joined([(0.0, "ball"), (9.0, "ball")])] == [0.0, 9.0]
    assert joined([]) == []


def test_objects_mark_when_they_are_in_view_and_box_where() -> None:
    objects = find("objects")
    found = [seen(0.0, "ball", 7), seen(0.0, "ball"), seen(1.0, "cup")]
    assert objects.marks(found) == [Mark(0.0, 1.0, "ball"), Mark(1.0, 2.0, "cup")]
    assert objects.boxes(found)[:2] == [Box(0.0, BOX, "ball 7"), Box(0.0, BOX, "ball")]
    assert objects.figures(found) == {"Kinds of objects": "2", "Objects at once": "2"}


def test_speech_marks_its_words_and_counts_what_overlaps_once() -> None:
    speech = find("speech")
    found = [
        Segment(scene=1, start_s=4.0, end_s=6.0, text="a goal"),
        Segment(scene=0, start_s=1.0, end_s=5.0, text="and it is"),
    ]
    assert [mark.text for mark in speech.marks(found)] == ["and it is", "a goal"]
    assert speech.figures(found) == {"Speech": "5.0 s", "Words": "5"}


def test_scenes_mark_themselves_and_say_how_long_they_usually_are() -> None:
    scenes = find("scenes")
    found = [Scene(index=n, start_s=start, end_s=end) for n, (start, end) in
             enumerate([(0, 1), (1, 3), (3, 60)])]  # fmt: skip
    assert scenes.marks(found)[2] == Mark(3, 60, "Scene 3")
    assert scenes.figures(found) == {"Scenes": "3", "Median scene": "2.0 s"}


def test_sounds_say_what_is_heard_most_often() -> None:
    found = [SoundEvent(scene=n, label=one, score=1) for n, one in enumerate(["bell", "a", "bell"])]
    assert find("sounds").figures(found) == {"Most often heard": "bell"}


@pytest.mark.parametrize("name", ["scenes", "speech", "sounds", "objects"])
def test_an_analyzer_that_found_nothing_has_nothing_to_show(name: str) -> None:
    kind = find(name)
    assert (list(kind.marks([])), list(kind.boxes([])), dict(kind.figures([]))) == ([], [], {})
