"""What is paid for is kept, whatever happens to the process that paid."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers.talks import Talk

from kairos_lib.errors import KairosError

from .conftest import MINUTE_S

WORKER = """
import sys
from pathlib import Path
from kairos_lib.media import audio
from kairos_lib.analyzers.vad import Span
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.remote import patience
from kairos_lib.analyzers.speech.engine import Setup, find

patience.PACE = patience.Pace(minute_s=float(sys.argv[1]))
folder = Path(sys.argv[2])
spans = [Span.model_validate_json(line) for line in sys.argv[3:]]
settings = SpeechSettings(engine="openai", concurrency=2, requests_per_minute=7)
engine = find("openai")(Setup(settings, None, folder / "transcripts"))
list(engine.transcribe(folder / "talk.wav", spans, lambda done, total: None))
"""


def start(talk: Talk, url: str, minute_s: float) -> subprocess.Popen[bytes]:
    spans = [span.model_dump_json() for span in talk.spans]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(minute_s), str(talk.folder), *spans],
        env={**os.environ, "OPENAI_BASE_URL": url},
    )


def until(condition, seconds: float = 60.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_after_a_kill_only_the_rest_is_sent_and_the_limits_still_hold(tmp_path: Path):
    minute_s = 2.0
    talk = Talk.make(tmp_path, chunks=8)
    with talk.server(
        faults=["ok"] * 4 + ["never"] * 2, requests_per_minute=7, concurrency=2,
        time_scale=minute_s / 60,
    ) as server:  # fmt: skip
        process = start(talk, server.url, minute_s)
        kept = talk.transcripts
        until(lambda: len(server.requests) == 6 and len(list(kept.glob("*.json"))) == 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = start(talk, server.url, minute_s)
        assert again.wait(timeout=60) == 0
        talk.check(talk.transcribe(server, environment={"OPENAI_API_KEY": None}))
    talk.check_paid_once(server)
    assert server.rate_violations == 0
    assert server.concurrency_violations == 0
    assert server.most_in_a_minute <= 7


def test_two_engines_at_once_keep_one_limit_and_pay_once(tmp_path: Path, monkeypatch):
    talk = Talk.make(tmp_path, chunks=6)
    segments: list[list] = []
    options = {"concurrency": 2, "requests_per_minute": 4}
    with talk.server(latency_s=5, time_scale=MINUTE_S / 60, **options) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)  # For both, whichever ends first.

        def run() -> None:
            segments.append(talk.transcribe(server, **options))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for found in segments:
        talk.check(found)
    assert len(segments) == 2
    talk.check_paid_once(server)
    assert server.rate_violations == server.concurrency_violations == 0


def test_another_model_or_language_is_another_question(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server() as server:
        for settings in ({}, {"language": "en"}, {"model": "whisper-2"}, {"engine": "azure"}, {}):
            talk.check(talk.transcribe(server, **settings))
    assert len(server.requests) == 4


def test_a_damaged_transcript_is_one_clear_line_and_not_paid_for_again(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server() as server:
        talk.transcribe(server)
        (path,) = talk.transcripts.glob("*.json")
        assert json.loads(path.read_text())["lines"][0]["text"] == "word 0"
        path.write_text("{")
        with pytest.raises(KairosError, match=r"damaged: restore it, or delete it to pay"):
            talk.transcribe(server)
        path.unlink()
        talk.check(talk.transcribe(server))
    assert len(server.requests) == 2
