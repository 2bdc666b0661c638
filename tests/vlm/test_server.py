"""Models of a server: `transformers serve` itself, and one that misbehaves."""

import base64
import dataclasses
import io
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.chat_server import ChatServer
from helpers.projects import CHECKOUT, served_model, write_parameters
from helpers.sessions import run_all
from PIL import Image
from pydantic import ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.remote import patience
from kairos_lib.vlm.adapter import Adapter, Request, find_family
from kairos_lib.vlm.choosing import Choosing
from kairos_lib.vlm.vlm_session import VlmSession

KEY = "sk-test-51c09e"
NANO = CHECKOUT / "kairos_lib/nano/weights/llava"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    pace = patience.Pace(minute_s=0.3, first_wait_s=0.02, longest_wait_s=0.1)
    monkeypatch.setattr(patience, "PACE", pace)


def adapter(url: str, model: str = "m", server: dict[str, object] | None = None, **more) -> Adapter:
    server = {"base_url": url, **(server or {})}
    values = {**served_model(model, server), "name": "served", **more}
    made = find_family("openai")(Model.model_validate(values), Path())
    made.load()
    return made


def requests(count: int) -> list[Request]:
    random = np.random.default_rng(1)
    frames = random.integers(0, 255, (count, 2, 36, 64, 3), dtype=np.uint8)
    return [Request(n, tuple(frames[n]), (0.0, 0.5), f"Describe scene-{n}") for n in range(count)]


def test_each_scene_has_its_own_answer_however_many_are_asked_at_once() -> None:
    with ChatServer(delays_s=(0.05, 0.05)) as server:
        served = adapter(server.url, server={"concurrency": 3})
        generated = served.generate(served.prepare(requests(8)))
    assert generated.texts == tuple(f"2 pictures: scene-{n}" for n in range(8))
    assert generated.prompt_tokens == (40,) * 8
    assert generated.new_tokens == (7,) * 8
    assert not any(generated.truncated)
    assert server.most == 3
    assert set(server.keys) == {KEY}


def test_frames_travel_without_loss_and_captions_are_drawn_greedily() -> None:
    with ChatServer() as server:
        served = adapter(server.url)
        (request,) = requests(1)
        served.generate(served.prepare([request]), max_new_tokens=4)
    (sent,) = server.requests
    assert (sent["temperature"], sent["max_completion_tokens"]) == (0.0, 4)
    for part, image in zip(sent["messages"][0]["content"], request.images, strict=False):
        content = base64.b64decode(part["image_url"]["url"].split(",")[1])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), image)


def test_answers_about_windows_are_drawn_as_their_task_says() -> None:
    with ChatServer() as server:
        served = adapter(server.url)
        for choosing in (Choosing(), Choosing(temperature=0.7, top_p=0.9, seed=5)):
            served.choosing = choosing
            served.generate(served.prepare(requests(1)))
    greedy, drawn = server.requests
    assert (greedy["temperature"], "top_p" in greedy, "seed" in greedy) == (0.0, False, False)
    assert (drawn["temperature"], drawn["top_p"], drawn["seed"]) == (0.7, 0.9, 5)


def test_the_time_to_the_first_words_is_told_apart() -> None:
    with ChatServer(delays_s=(0.3, 1.0)) as server:
        served = adapter(server.url)
        began_s = time.monotonic()
        generated = served.generate(served.prepare(requests(1)))
        elapsed_s = time.monotonic() - began_s
    assert generated.prefill_s >= 0.3
    assert generated.decode_s > 0.5
    assert generated.prefill_s + generated.decode_s <= elapsed_s


def test_what_passes_is_tried_again_until_there_is_an_answer() -> None:
    faults = ["429", "500", "garbage", "cut", "closed", "told"]
    with ChatServer(faults) as server:
        served = adapter(server.url, server={"concurrency": 1, "attempts": 8})
        generated = served.generate(served.prepare(requests(2)))
    assert generated.texts == ("2 pictures: scene-0", "2 pictures: scene-1")
    assert len(server.requests) == len(faults) + 2


def test_a_scene_that_is_refused_says_why_and_the_others_go_on() -> None:
    with ChatServer(["400", "long"]) as server:
        served = adapter(server.url, server={"concurrency": 1})
        generated = served.generate(served.prepare(requests(3)))
    assert "refused with 400" in generated.errors[0]
    assert generated.errors[1:] == ("", "")
    assert generated.truncated == (False, True, False)


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        (["401"] * 8, "m refused: 401: refused with 401: check OPENAI_API_KEY"),
        (["no-usage"] * 8, "does not say how many tokens it took"),
        (["500"] * 8, "did not answer in 2 attempts"),
    ],
)
def test_what_meets_all_requests_alike_is_one_line(faults: list, line: str) -> None:
    with ChatServer(faults) as server:
        served = adapter(server.url, server={"attempts": 2, "concurrency": 2})
        generated = served.generate(served.prepare(requests(4)))
    assert generated.unanswered == {0, 1, 2, 3}
    assert line in generated.reason
    assert KEY not in generated.reason


@pytest.mark.parametrize("answered", [0, 2])
def test_captions_that_were_paid_for_are_kept_when_the_server_fails(
    small: Project, answered: int
) -> None:
    """The run ends, and goes on with those that are missing."""
    BaseSession.open("twelve", "plain").process()
    # Warm-up, three scenes of the sample, and some of the twelve; then one refusal for good.
    with ChatServer(["ok"] * (4 + answered) + ["401"]) as server:
        model = served_model("m", {"base_url": server.url, "concurrency": 1})
        write_parameters(small, "models", "theirs", model)
        session = VlmSession.open("theirs", "twelve", "plain")
        session.load()
        session.single_stream()
        with pytest.raises(KairosError, match="refused with 401"):
            session.offline()
        assert [caption.scene for caption in session.captioning.captions] == list(range(answered))
        assert all(batch.scenes for batch in session.captioning.batches)
        session.lock.release()
        again = VlmSession.open("theirs", "twelve", "plain")
        again.load()
        again.offline()
    assert [caption.scene for caption in again.captioning.captions] == list(range(12))
    asked = [body["messages"][0]["content"][-1]["text"] for body in server.requests]
    # Two warm-ups, three alone, twelve, and the one that was refused.
    assert len(asked) == 2 + 3 + 12 + 1


def test_requests_of_a_minute_are_limited() -> None:
    with ChatServer() as server:
        served = adapter(server.url, server={"requests_per_minute": 2})
        started = time.monotonic()
        served.generate(served.prepare(requests(5)))
    assert time.monotonic() - started >= 0.6


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"generation": {"num_beams": 2}}, "does not support num_beams"),
        ({"weights": {"source": "path", "id": "w"}}, "go together"),
        ({"quantisation": "nf4"}, "a server decides on its quantisation itself"),
        ({"server": {"base_url": "https://me:secret@example.org/v1"}}, "no name or password"),
        ({"server": {"base_url": "ftp://x"}}, "must begin with https://"),
    ],
)
def test_what_no_server_can_do_is_refused_before_anything_is_sent(changes, line: str) -> None:
    with pytest.raises((KairosError, ValidationError), match=line):
        adapter("http://127.0.0.1:9/v1", **changes)


def test_a_missing_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(KairosError, match="OPENAI_API_KEY is not set"):
        adapter("http://127.0.0.1:9/v1")


def test_a_run_over_a_server_is_recorded_as_one(small: Project) -> None:
    BaseSession.open("twelve", "plain").process()
    with ChatServer(["400"]) as server:
        model = served_model("their-model", {"base_url": server.url, "concurrency": 1})
        write_parameters(small, "models", "theirs", model)
        result = run_all(VlmSession.open("theirs", "twelve", "plain"))
    assert (result.weights_source, result.weights) == ("server", "their-model")
    assert result.device == f"server {server.url[7:]}"
    # The refusal met the warm-up.
    assert (result.offline.scenes, result.offline.failed) == (12, 0)
    assert result.offline.prompt_tokens == 12 * 40
    assert not [path for path in small.root.rglob("*") if path.is_file() and KEY in text_of(path)]


def text_of(path: Path) -> str:
    return path.read_bytes().decode(errors="ignore")


def test_a_run_without_a_single_caption_fails(small: Project) -> None:
    BaseSession.open("twelve", "plain").process()
    with ChatServer(["400"] * 50) as server:
        model = served_model("m", {"base_url": server.url})
        write_parameters(small, "models", "theirs", model)
        session = VlmSession.open("theirs", "twelve", "plain")
        session.load()
        session.single_stream()
        with pytest.raises(KairosError, match=r"no scene could be captioned: m refused: 400"):
            session.offline()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve` with the nano LLaVA."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(NANO)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with log.open("w") as file:
        process = subprocess.Popen([*command, *options], stdout=file, stderr=file, env=environment)
    try:
        until_s = time.monotonic() + 120
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until_s, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.services
def test_transformers_serve_writes_what_the_same_model_writes_here(served: str) -> None:
    remote = adapter(
        served,
        str(NANO),
        {"key_name": None, "asked_for_usage": False, "concurrency": 2},
        generation={"max_new_tokens": 24},
    )
    nano = load(Project(CHECKOUT), Model, "nano", {"generation": {"max_new_tokens": 24}})
    local = find_family(nano.family)(nano, NANO)
    local.load()
    asked = requests(3)
    answers = remote.generate(remote.prepare(asked))
    own = [local.generate(local.prepare([request])) for request in asked]
    assert answers.texts == tuple(each.texts[0] for each in own)
    assert answers.new_tokens == tuple(each.new_tokens[0] for each in own)
    assert answers.prompt_tokens == tuple(
        local.prepare([request]).prompt_tokens[0] for request in asked
    )


def test_words_of_a_video_look_to_no_server_like_control_tokens() -> None:
    said = "Speech: <|im_end|> <image> [INST] </s> and 1 < 2"
    with ChatServer() as server:
        served = adapter(server.url)
        (request,) = requests(1)
        served.generate(served.prepare([dataclasses.replace(request, prompt=said)]))
    (sent,) = server.requests
    (words,) = [part["text"] for part in sent["messages"][0]["content"] if part["type"] == "text"]
    assert words == "Speech: < |im_end|> < image> [ INST] < /s> and 1 < 2"
