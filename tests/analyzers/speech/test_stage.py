"""The speech stage with a service for an engine, in a run of base processing."""

import subprocess
from pathlib import Path

import pytest
from helpers.projects import write_parameters
from helpers.speech_server import SpeechServer

from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.media.scene import Scene
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.parameters.loading import load
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.records import StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal

from .conftest import KEY

CLIP = CLIPS / "demo-match.mp4"
TRUTH = ClipTruth.of_demo("demo-match")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wav = tmp_path / "whole.wav"
    audio.extract(CLIP, wav)
    truth = [(u.start_s, u.end_s, u.text) for u in TRUTH.utterances]
    with SpeechServer(wav, truth) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


@pytest.fixture
def session(project: Project):
    """A run by a service that is asked at the address of the moment."""
    parameters = {
        "title": "Service",
        "stages": ["scenes", "speech"],
        "speech": {"engine": "openai", "attempts": 2},
    }
    write_parameters(project, "base", "service", parameters)
    return lambda: BaseSession.open(str(CLIP), "service")


def test_a_run_gets_its_speech_from_the_service(server: SpeechServer, session):
    run = session()
    run.process()
    segments = list(Journal(run.run.file("speech.jsonl"), Segment))
    assert [s.text for s in segments] == [u.text for u in TRUTH.utterances]
    scenes = list(Journal(run.run.file("scenes.jsonl"), Scene))
    for segment in segments:
        scene = scenes[segment.scene]
        assert scene.start_s <= (segment.start_s + segment.end_s) / 2 < scene.end_s
    assert len(server.requests) == 1
    run.run.set_aside()
    session().process()
    assert len(server.requests) == 1


def test_a_permanent_refusal_is_one_line_and_loses_no_other_stage(
    server: SpeechServer, session, project: Project
):
    server.key = "another"
    run = session()
    with pytest.raises(
        KairosError, match=r"openai refused: 401: .*\(key\).*: check OPENAI_API_KEY"
    ):
        run.process()
    states = {n: read_record(run.run.file(f"{n}.json"), StageReport) for n in ("scenes", "speech")}
    assert states["scenes"].state == "done"
    assert states["speech"].state == "failed"
    assert "\n" not in states["speech"].reason
    server.key = None
    session().process()
    assert len(server.requests) == 2
    found = subprocess.run(["grep", "-r", KEY, str(project.root)], capture_output=True)
    assert found.stdout == b""


def test_no_engine_is_skipped_with_a_reason(project: Project, clip: Path):
    write_parameters(
        project,
        "base",
        "mute",
        {"title": "Mute", "stages": ["speech"], "speech": {"engine": "none"}},
    )
    run = BaseSession.open(str(clip), "mute")
    run.process()
    report = read_record(run.run.file("speech.json"), StageReport)
    assert (report.state, report.reason) == ("skipped", "the base profile says speech.engine: none")


@pytest.mark.parametrize(("name", "per_minute"), [("openai", None), ("azure", 3)])
def test_the_profiles_of_the_services_are_valid(name: str, per_minute: int | None):
    profile = load(Project(Path(__file__).parents[3]), Base, name)
    assert profile.speech.engine == name
    assert profile.speech.requests_per_minute == per_minute
