"""Each benchmark finds out results that are not the same, and says how they differ."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.clips import COLOURS, write_clip

from benchmarks import base, batches, memory, stage, visual
from benchmarks.harness import DisagreementError
from benchmarks.sequential import Findings
from benchmarks.workshop import Workshop
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.nano.truth import ClipTruth
from kairos_lib.project import Project


def findings(truth: ClipTruth) -> Findings:
    box = (0.1, 0.1, 0.5, 0.5)
    return Findings(
        cuts_s=tuple(scene.start_s for scene in truth.scenes[1:]),
        transcripts=tuple(scene.transcript for scene in truth.scenes),
        sounds=(SoundEvent(scene=0, label="music", score=0.9),),
        objects=(Detection(scene=0, time_s=0.0, label="star", score=0.8, box=box),),
    )


@pytest.fixture
def truth() -> ClipTruth:
    return ClipTruth.of_demo("demo-speech")


def test_the_same_findings_agree(truth: ClipTruth) -> None:
    stage.agree({stage.SEQUENTIAL: findings(truth), stage.KAIROS: findings(truth)}, truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuts_s": ()}, "finds 1 scenes"),
        ({"transcripts": ("something else",) * 6}, "hears 'something else' in scene 0"),
        ({"sounds": ()}, "hears or sees nothing"),
        ({"sounds": (SoundEvent(scene=0, label="tone", score=0.9),)}, "same labels"),
        ({"sounds": (SoundEvent(scene=0, label="music", score=0.9002),)}, "scores of a sound"),
        ({"score": 0.802}, "not the same"),
        ({"box": (0.1, 0.1, 0.5, 0.501)}, "not the same"),
        ({"time_s": 0.04}, "same frames"),
    ],
)
def test_findings_that_differ_are_refused(
    truth: ClipTruth, change: dict[str, object], message: str
) -> None:
    same = findings(truth)
    if change.keys() <= {"cuts_s", "transcripts", "sounds"}:
        other = replace(same, **change)
    else:
        other = replace(same, objects=(same.objects[0].model_copy(update=change),))
    with pytest.raises(DisagreementError, match=message):
        stage.agree({stage.SEQUENTIAL: same, stage.KAIROS: other}, truth)


def test_the_servers_latency_is_that_of_the_earlier_pipeline() -> None:
    def took_s(requests: int, audio_s: float) -> float:
        return requests * stage.PER_REQUEST_S + audio_s * stage.PER_AUDIO_S

    assert took_s(75, audio_s=459) == pytest.approx(688)
    assert took_s(1, audio_s=459) == pytest.approx(60)


def test_scores_of_a_batch_that_differ_are_refused() -> None:
    one = np.array([[0.5, 0.2]])
    batches.agree({"batch 1": one, "batch 8": one + 5e-5}, 1e-4)
    with pytest.raises(DisagreementError, match="batch 8 and batch 1"):
        batches.agree({"batch 1": one, "batch 8": one + 2e-4}, 1e-4)


def test_a_video_that_was_not_processed_whole_is_refused() -> None:
    peaks = memory.Peaks(scenes=99, process_mb=1.0, read_mb=1.0)
    with pytest.raises(DisagreementError, match="99 were found of 100 scenes"):
        memory.agree({"100 scenes": peaks}, (100,))


def test_cuts_are_matched_within_a_frame_and_each_only_once() -> None:
    found = visual.match([1.0, 1.02, 5.0], [1.02, 3.0], within_s=0.04)
    assert (found.matched, found.missed, found.extra) == (1, 1, 2)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    # PySceneDetect's stock detectors take nothing shorter than 15 frames for a scene.
    return write_clip(tmp_path / "video.mp4", COLOURS[:4], seconds_each=2.0)


@pytest.fixture
def workshop(tmp_path: Path, project: Project) -> Workshop:
    return Workshop(tmp_path / "workshop")


def test_the_visual_pass_agrees_with_the_detector_and_with_the_frames(
    video: Path, workshop: Workshop
) -> None:
    found = visual.kairos_pass(workshop, video)
    judge = visual.Judge(video, lambda line: None)
    judge({visual.KAIROS: found})
    assert 0.0 <= judge.worst_levels <= visual.SEEN_LEVELS
    assert found.cuts_s == pytest.approx((2.0, 4.0, 6.0))


def test_a_cut_that_is_not_the_detectors_is_refused(video: Path, workshop: Workshop) -> None:
    found = visual.kairos_pass(workshop, video)
    late = replace(found, cuts_s=(*found.cuts_s[:-1], found.cuts_s[-1] + 0.1))
    with pytest.raises(DisagreementError, match="not the same"):
        visual.Judge(video, lambda line: None)({visual.KAIROS: late})


def test_a_thumbnail_of_another_scene_is_refused(video: Path, workshop: Workshop) -> None:
    found = visual.kairos_pass(workshop, video)
    swapped = replace(found, thumbnails=found.thumbnails[2:] + found.thumbnails[:2])
    with pytest.raises(DisagreementError, match="levels from the frame"):
        visual.Judge(video, lambda line: None)({visual.KAIROS: swapped})


def test_the_earlier_way_and_the_command_find_the_same_cuts(video: Path, tmp_path: Path) -> None:
    earlier = visual.earlier_way(video, tmp_path / "earlier")
    command = visual.scenedetect_command(video, tmp_path / "command")
    assert earlier.cuts_s == pytest.approx(command.cuts_s, abs=1e-3)
    assert len(earlier.thumbnails) == 2 * (len(earlier.cuts_s) + 1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--name", "visul"], "unknown benchmark 'visul': there are visual, stage"),
        (["--name", "stage", "--video", "a.mp4"], "VIDEO is for the benchmark 'visual'"),
        (["--rounds", "0"], "at least one round"),
        (["--name", "stage", "--scale", "fast"], "SCALE=fast"),
    ],
)
def test_a_mistake_is_one_clear_line(project: Project, arguments: list[str], line: str) -> None:
    done = CliRunner().invoke(base.main, arguments)
    assert done.exit_code == 1
    assert line in done.output
    assert len(done.output.splitlines()) == 1


def test_the_command_runs_from_a_checkout() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.base", "--name", "stage", "--scale", "0"],
        capture_output=True,
        text=True,
        cwd=Path(base.__file__).parents[1],
        check=False,
    )
    assert done.stderr == "benchmark: SCALE=0: give a fraction such as 1/60\n"
    assert done.returncode == 1


def test_without_the_ffmpeg_command_the_visual_benchmark_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = CliRunner().invoke(base.main, ["--name", "visual"])
    assert done.exit_code == 1
    assert "needs the ffmpeg command: install it" in done.output
