"""The engines against a service that misbehaves, over real sockets."""

import time
from pathlib import Path

import pytest
from helpers.speech_server import random_faults
from helpers.talks import Talk

from kairos_lib.analyzers.speech import chunks
from kairos_lib.errors import KairosError

from .conftest import KEY, MINUTE_S

SCALE = MINUTE_S / 60


def check_limits(server) -> None:
    assert server.rate_violations == 0
    assert server.concurrency_violations == 0
    assert server.most_at_once <= server.concurrency
    assert server.most_in_a_minute <= server.requests_per_minute


@pytest.mark.parametrize("seed", range(2))
def test_every_chunk_is_transcribed_once_whatever_befalls_the_requests(tmp_path: Path, seed: int):
    talk = Talk.make(tmp_path, chunks=8)
    with talk.server(
        faults=random_faults(seed, 16), requests_per_minute=5, concurrency=3, time_scale=SCALE,
        latency_s=2, slow_s=0.1,
    ) as server:  # fmt: skip
        segments = talk.transcribe(
            server, requests_per_minute=5, concurrency=3, attempts=30, timeout_s=1.2
        )
    talk.check(segments)
    talk.check_paid_once(server)
    check_limits(server)
    assert len(server.requests) > len(talk.spans)


def test_azure_gets_three_requests_a_minute_and_no_more(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=8)
    with talk.server(requests_per_minute=3, concurrency=4, time_scale=SCALE, key=KEY) as server:
        began_s = time.monotonic()
        segments = talk.transcribe(server, engine="azure", model="my whisper")
        took_s = time.monotonic() - began_s
    talk.check(segments)
    talk.check_paid_once(server)
    check_limits(server)
    assert took_s >= 2 * MINUTE_S
    path = "/openai/deployments/my%20whisper/audio/transcriptions?api-version=2024-06-01"
    assert {request.path for request in server.requests} == {path}


def test_the_limit_on_requests_at_once_is_used_and_kept(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=6)
    with talk.server(concurrency=3, latency_s=0.6) as server:
        talk.check(talk.transcribe(server, concurrency=3))
    assert server.most_at_once == 3
    assert server.concurrency_violations == 0


def test_a_refusal_for_tokens_per_minute_is_waited_out(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=6)
    # A minute long enough for all requests to arrive in it on a busy machine.
    with talk.server(audio_s_per_minute=5, time_scale=4 * SCALE) as server:
        talk.check(talk.transcribe(server, attempts=40))
    assert "audio" in server.outcomes
    talk.check_paid_once(server)


def test_what_is_asked_and_what_is_answered(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=2)
    with talk.server() as server:
        server.truth = [*server.truth, server.truth[0]._replace(text="  ")]
        talk.check(talk.transcribe(server, language="en", model="whisper-1"))
    asked = {"model": "whisper-1", "language": "en", "response_format": "verbose_json"}
    assert [request.fields for request in server.requests] == [asked, asked]
    assert {request.key for request in server.requests} == {KEY}


def test_times_beyond_the_upload_are_clipped_to_it(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    (span,) = talk.spans
    with talk.server() as server:
        said = [(1.0, 9.0, " late"), (0.0, 1.0, "early")]
        pieces = [{"start": start, "end": end, "text": text} for start, end, text in said]
        answer = {"text": "early late", "segments": pieces}
        server.answer = lambda request: answer
        early, late = talk.transcribe(server)
    assert (early.text, early.start_s, early.end_s) == ("early", span.start_s, span.start_s + 1)
    assert (late.text, late.start_s, late.end_s) == ("late", span.start_s + 1, span.end_s)


def test_nothing_is_sent_where_nobody_speaks(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=2)
    talk.spans.clear()
    with talk.server() as server:
        assert talk.transcribe(server) == []
    assert server.requests == []


def test_a_chunk_too_large_for_one_upload_is_sent_in_parts(tmp_path: Path, monkeypatch):
    # Each burst is 64 kB of noise, which no encoder makes much smaller.
    talk = Talk.make(tmp_path, chunks=3)
    monkeypatch.setattr(chunks, "CHUNK_S", 1e9)
    monkeypatch.setattr(chunks.Recording.flac, "__defaults__", (100_000,))
    with talk.server() as server:
        talk.check(talk.transcribe(server))
    assert max(request.size_bytes for request in server.requests) <= 100_000
    talk.check_paid_once(server)


@pytest.mark.parametrize("kind", ["429", "429-ms", "503"])
def test_a_service_that_asks_to_wait_is_not_asked_before(tmp_path: Path, kind):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server(faults=[kind], retry_after_s=0.4) as server:
        talk.check(talk.transcribe(server))
    first, second = (request.arrived_s for request in server.requests)
    assert 0.4 <= second - first < 1.0


def test_a_date_to_wait_for_is_waited_for(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server(faults=["429-date"], retry_after_s=1.0) as server:
        talk.check(talk.transcribe(server))
    first, second = (request.arrived_s for request in server.requests)
    assert second - first >= 0.9


def test_a_refusal_for_haste_holds_back_all_requests(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=6)
    with talk.server(faults=["429"], retry_after_s=0.8, latency_s=0.1) as server:
        talk.check(talk.transcribe(server, concurrency=2))
    arrived_s = [request.arrived_s for request in server.requests]
    assert all(at - arrived_s[0] >= 0.8 for at in arrived_s[2:])


def test_a_wait_of_hours_is_left_to_the_user(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    with (
        talk.server(faults=["429"], retry_after_s=7200) as server,
        pytest.raises(KairosError, match=r"asks to wait 2\.0 h .* run the same command again then"),
    ):
        talk.transcribe(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["never", "drip", "slow"])
def test_a_request_without_an_answer_ends_at_its_time_limit(tmp_path: Path, kind):
    talk = Talk.make(tmp_path, chunks=1)
    began_s = time.monotonic()
    with talk.server(faults=[kind], slow_s=30) as server:
        talk.check(talk.transcribe(server, timeout_s=0.3))
    assert time.monotonic() - began_s < 25
    talk.check_paid_once(server)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("400", "openai refused: 400: Invalid file format: check speech.model and"),
        ("401", "openai refused: 401: Incorrect API key provided: (key): check OPENAI_API_KEY"),
        ("413", "openai refused: 413: Maximum content size limit exceeded: this will not change"),
        ("quota", "openai refused: 429: You exceeded your current quota: add credit"),
    ],
)
def test_a_permanent_refusal_is_one_clear_line_at_once(tmp_path: Path, kind, line: str):
    talk = Talk.make(tmp_path, chunks=8)
    with talk.server(faults=[kind], latency_s=0.1) as server, pytest.raises(KairosError) as caught:
        talk.transcribe(server, concurrency=2)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert len(server.requests) <= 2


def test_a_wrong_address_is_one_clear_line(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server() as server, pytest.raises(KairosError, match=r"404: .* service's address"):
        talk.transcribe(server, beneath="/elsewhere")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("500", "500: The server had an error"),
        ("not-json", "the answer is not a verbose_json transcript"),
        ("wrong-shape", "the answer is not a verbose_json transcript"),
        ("closed", "Connection error"),
        ("429-bare", "429: Rate limit reached on requests per min (RPM)"),
    ],
)
def test_a_service_that_never_gets_better_is_one_clear_line(tmp_path: Path, kind, said: str):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server(faults=[kind] * 9) as server, pytest.raises(KairosError) as caught:
        talk.transcribe(server, attempts=3)
    assert f"did not answer in 3 attempts, the last: {said}" in str(caught.value)
    assert "run the same command again later" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 3


def test_chunks_that_were_done_before_a_refusal_are_not_sent_again(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=4)
    with talk.server(faults=["ok", "ok", "quota"]) as server:
        with pytest.raises(KairosError, match="quota"):
            talk.transcribe(server, concurrency=1)
        talk.check(talk.transcribe(server, concurrency=1))
    talk.check_paid_once(server)
