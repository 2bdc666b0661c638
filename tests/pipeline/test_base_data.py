import json
from pathlib import Path

import pytest

from kairos_lib.analyzers.objects import Detection, seen
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment, transcript
from kairos_lib.errors import KairosError
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.base_data import read_base_data, write_base_data
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

RESULT = BaseResult(
    key="k", video="match", title="Match", profile="nano", scenes=3, stages=(), decode_s=1,
    total_s=2,
    facts=VideoFacts(
        sha256="0", size_bytes=1, duration_s=15, width=64, height=36, frames_per_second=25,
        codec="h264",
    ),
)  # fmt: skip
BOX = (0.0, 0.0, 0.5, 0.5)


def ball(scene: int, time_s: float, score: float, track: int | None = None) -> Detection:
    return Detection(scene=scene, time_s=time_s, label="ball", score=score, box=BOX, track_id=track)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scenes: one with everything, one with nothing, one whose speech came out of order."""

    def write(name: str, kind: type[Record], *records: Record) -> None:
        Journal(tmp_path / f"{name}.jsonl", kind).write_all(iter(records))

    write("scenes", Scene, *(Scene(index=n, start_s=5 * n, end_s=5 * n + 5) for n in range(3)))
    write(
        "speech",
        Segment,
        Segment(scene=0, start_s=1, end_s=2, text="Goal!"),
        Segment(scene=2, start_s=12, end_s=13, text="What a"),
        Segment(scene=0, start_s=4, end_s=5.5, text="Ünglaublich."),
        Segment(scene=2, start_s=13, end_s=14, text="shot."),
    )
    write("sounds", SoundEvent, SoundEvent(scene=0, label="applause", score=0.9))
    write("objects", Detection, ball(0, 1.0, 0.5, 1), ball(0, 1.0, 0.8, 2), ball(0, 2.0, 0.6, 1))
    return tmp_path


def test_each_scene_is_told_with_all_that_was_found_in_it(folder: Path) -> None:
    first, second, third = VideoFindings(folder)
    assert transcript(first.of("speech")) == "Goal! Ünglaublich."
    assert [sound.label for sound in first.of("sounds")] == ["applause"]
    assert {name: len(found) for name, found in second.records.items()} == {
        "speech": 0, "sounds": 0, "objects": 0
    }  # fmt: skip
    assert transcript(third.of("speech")) == "What a shot."


def test_objects_are_counted_by_frame_and_shown_at_their_best(folder: Path) -> None:
    (ball,) = seen(next(iter(VideoFindings(folder))).of("objects"))
    assert (ball.label, ball.count, ball.tracks) == ("ball", 2, 2)
    assert (ball.best.time_s, ball.best.score) == (1.0, 0.8)


def test_base_data_is_one_json_file_that_reads_back_as_it_was(folder: Path) -> None:
    path = write_base_data(folder, RESULT)
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["video"]["facts"]["duration_s"] == 15
    read = list(read_base_data(path))
    assert [data.model_dump(mode="json") for data in read] == whole["scenes"]
    assert read[0].asr.text == "Goal! Ünglaublich."
    assert [event.score for event in read[0].ast] == [0.9]
    assert len(read[0].yolo.detections) == 3


def test_base_data_of_a_video_without_findings_has_its_scenes(tmp_path: Path) -> None:
    Journal(tmp_path / "scenes.jsonl", Scene).append(Scene(index=0, start_s=0, end_s=1))
    (only,) = read_base_data(write_base_data(tmp_path, RESULT))
    assert (only.asr.text, only.ast, only.yolo.objects) == ("", (), ())


def test_base_data_that_is_cut_off_is_one_line(folder: Path) -> None:
    path = write_base_data(folder, RESULT)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(KairosError, match="cannot be read as base data"):
        list(read_base_data(path))
