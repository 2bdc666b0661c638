"""All four stages on tiny checkpoints of the true formats."""

from pathlib import Path

import pytest
from helpers.checkpoints import tiny_ast, tiny_whisper, tiny_yolo
from helpers.clips import COLOURS, write_clip
from helpers.projects import write_parameters

from kairos_lib.analyzers import analyzer
from kairos_lib.analyzers.analyzer import order
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.objects import seen as seen_objects
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from kairos_lib.parameters import yaml_files
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.cache import start_afresh
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    tiny_ast(folder / "ast")
    tiny_yolo(folder / "yolo.pt")
    tiny_whisper(folder / "whisper", folder / "scratch")
    return folder


@pytest.fixture
def everything(project: Project, checkpoints: Path) -> Project:
    """A profile with all four stages; the detector's threshold lets untrained guesses through."""

    def weights(name: str) -> dict[str, str]:
        return {"source": "path", "id": str(checkpoints / name)}

    write_parameters(
        project,
        "base",
        "all",
        {
            "title": "All",
            "speech": {"weights": weights("whisper"), "language": "en"},
            "sounds": {"weights": weights("ast"), "min_score": 0.0, "top_k": 2},
            "objects": {"weights": weights("yolo.pt"), "min_score": 0.001, "image_px": 160},
        },
    )
    return project


def process(video: Path) -> BaseSession:
    session = BaseSession.open(str(video), "all")
    session.process()
    return session


def states(session: BaseSession) -> dict[str, str]:
    result = session.run.result(BaseResult)
    assert result is not None
    return {report.name: report.state for report in result.stages}


def read(session: BaseSession, name: str, kind: type[Record]) -> list[Record]:
    return list(Journal(session.run.file(f"{name}.jsonl"), kind))


def test_all_stages_run_on_a_video_with_sound(everything: Project, clip: Path) -> None:
    session = process(clip)
    assert set(states(session).values()) == {"done"}
    sounds = read(session, "sounds", SoundEvent)
    assert [s.scene for s in sounds] == [n for n in range(12) for _ in range(2)]
    assert len(list((session.run.folder / "audio").iterdir())) == 12
    for found in read(session, "objects", Detection):
        assert found.label in {"circle", "square", "star"}
        assert found.scene == int(found.time_s)
        assert all(0 <= edge <= 1 for edge in found.box)


def test_a_silent_film_skips_what_listens(everything: Project, tmp_path: Path) -> None:
    session = process(write_clip(tmp_path / "silent.mp4", COLOURS[:2], tone=False))
    assert states(session) == {
        "scenes": "done",
        "audio": "skipped",
        "vad": "skipped",
        "speech": "skipped",
        "slices": "skipped",
        "sounds": "skipped",
        "objects": "done",
    }


def test_speech_is_transcribed_only_where_there_is_a_voice(everything: Project, clip: Path) -> None:
    session = process(clip)
    spans = read(session, "vad", Span)
    for segment in read(session, "speech", Segment):
        assert any(s.start_s - 0.1 <= segment.start_s <= s.end_s for s in spans)


def test_a_stage_without_its_weights_is_skipped_and_says_so(project: Project, clip: Path) -> None:
    absent = {"weights": {"source": "path", "id": "nowhere.pt"}}
    stages = ["objects"]
    write_parameters(project, "base", "all", {"title": "A", "stages": stages, "objects": absent})
    session = process(clip)
    result = session.run.result(BaseResult)
    assert result is not None
    (report,) = [r for r in result.stages if r.name == "objects"]
    assert (report.state, report.reason) == ("skipped", "there are no weights at nowhere.pt")


def test_weights_that_arrive_later_make_a_new_run(project: Project, clip: Path) -> None:
    absent = {"weights": {"source": "path", "id": "late.pt"}}
    write_parameters(
        project, "base", "all", {"title": "A", "stages": ["objects"], "objects": absent}
    )
    before = BaseSession.open(str(clip), "all").run.key
    tiny_yolo(project.root / "late.pt")
    assert BaseSession.open(str(clip), "all").run.key != before


def test_a_failing_stage_does_not_lose_the_others_work_and_is_tried_again(
    project: Project, clip: Path
) -> None:
    """A checkpoint that is not one, of which the stage finds out while frames go by."""
    broken = project.root / "broken.pt"
    broken.write_bytes(b"not a checkpoint")
    objects = {"weights": {"source": "path", "id": "broken.pt"}, "batch_size": 1}
    write_parameters(
        project, "base", "all", {"title": "A", "stages": ["objects"], "objects": objects}
    )
    session = BaseSession.open(str(clip), "all")
    with pytest.raises(KairosError, match=r"objects failed: .*other stages' results are kept"):
        session.process()
    result = session.run.result(BaseResult)
    assert result is not None
    assert [stage.name for stage in result.missing] == ["objects"]
    report = StageReport.model_validate_json(session.run.file("scenes.json").read_bytes())
    assert (report.state, report.records) == ("done", 12)
    before = session.run.file("scenes.jsonl").stat().st_mtime_ns
    with pytest.raises(KairosError, match="objects failed"):
        BaseSession.open(str(clip), "all").process()
    assert session.run.file("scenes.jsonl").stat().st_mtime_ns == before


def test_a_checkpoint_that_would_run_code_is_refused(project: Project, tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    from kairos_lib.analyzers.objects import load

    with pytest.raises(Exception, match="outside the supported Ultralytics checkpoint"):
        load(str(tmp_path / "evil.pt"))
    assert not (tmp_path / "ran").exists()


def test_what_a_stage_needs_runs_before_it() -> None:
    names = [s.name for s in order(("sounds",))]
    assert names == ["scenes", "audio", "vad", "slices", "sounds"]


def test_an_unknown_stage_is_answered_with_the_nearest() -> None:
    with pytest.raises(KairosError, match="did you mean 'objects'"):
        analyzer.find("object")


def reused(session: BaseSession) -> dict[str, bool]:
    result = session.run.result(BaseResult)
    assert result is not None
    return {report.name: report.reused for report in result.stages}


def test_a_change_of_one_stage_leaves_the_others_as_they_are(
    everything: Project, clip: Path
) -> None:
    before = process(clip)
    profile = yaml_files.read(everything.parameters / "base" / "all.yaml", "all.yaml")
    profile["sounds"]["top_k"] = 1
    write_parameters(everything, "base", "all", profile)
    after = process(clip)
    assert after.run.key != before.run.key
    assert reused(after) == {
        "scenes": True,
        "audio": True,
        "vad": True,
        "speech": True,
        "slices": True,
        "sounds": False,
        "objects": True,
    }
    result = after.run.result(BaseResult)
    assert result is not None
    # Nobody interrupted it, and only what ran is in its total.
    assert not result.resumed
    assert result.total_s < sum(report.time_s for report in result.stages)
    assert result.resources is not None
    assert len(read(after, "sounds", SoundEvent)) == 12
    for name in ("scenes.jsonl", "objects.jsonl", "audio/scene_0003.wav"):
        assert after.run.file(name).read_bytes() == before.run.file(name).read_bytes()
    assert len(list(after.run.file("thumbnails").iterdir())) == 24


def test_a_run_that_starts_afresh_takes_nothing_over(everything: Project, clip: Path) -> None:
    process(clip)
    profile = yaml_files.read(everything.parameters / "base" / "all.yaml", "all.yaml")
    profile["sounds"]["top_k"] = 1
    write_parameters(everything, "base", "all", profile)
    session = BaseSession.open(str(clip), "all")
    start_afresh(session.run.folder)
    session.process()
    assert not any(reused(session).values())


def test_a_damaged_run_is_no_hindrance_to_the_next(everything: Project, clip: Path) -> None:
    process(clip).run.file("objects.json").write_text('{"name": "objects"}')
    profile = yaml_files.read(everything.parameters / "base" / "all.yaml", "all.yaml")
    profile["sounds"]["top_k"] = 1
    write_parameters(everything, "base", "all", profile)
    after = reused(process(clip))
    assert after["scenes"] and not after["objects"]


def test_a_tracker_follows_things_through_their_scene(project: Project) -> None:
    """The nano model in its own world: as many numbers are given as there are things at once."""
    profile = yaml_files.read(ROOT / "parameters" / "base" / "nano.yaml", "nano.yaml")
    profile["stages"] = ["objects"]
    profile["objects"] |= {"tracker": "bytetrack", "frames_per_second": 6}
    write_parameters(project, "base", "all", profile)
    session = process(ROOT / "kairos_lib/nano/clips/demo-match.mp4")
    kinds = [
        seen
        for found in VideoFindings(session.run.folder)
        for seen in seen_objects(found.of("objects"))
    ]
    assert len(kinds) >= 6
    assert [seen.tracks for seen in kinds] == [seen.count for seen in kinds]
