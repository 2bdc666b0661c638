"""A speech-to-text service on a loopback socket that answers from ground truth.

It speaks OpenAI's and Azure's transcription endpoints (multipart in, `verbose_json` out), keeps
limits as they do, misbehaves on request, and remembers all that arrived, so that a test can count.

An upload does not say which part of a video it is: the server is given the whole audio and finds
where the upload's samples occur in it, exactly. Audio that occurs twice is taken for its first
occurrence.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from .whole_audio import RATE_HZ, WholeAudio, decode

POLL_S = 0.01

Fault = Literal[
    "ok", "429", "429-bare", "429-ms", "429-date", "500", "503", "not-json", "wrong-shape",
    "closed", "slow", "drip", "never", "400", "401", "413", "quota",
]  # fmt: skip
"""`429` carries Retry-After, `-ms` retry-after-ms, `-date` Retry-After as a date, `-bare` nothing;
`closed` hangs up without a word; `slow` is right but late; `drip` sends a byte now and
then, without end; `never` holds the connection until the client hangs up; `quota` is the 429 that
waiting does not cure."""
PASSING: tuple[Fault, ...] = (
    "429", "429-bare", "429-ms", "500", "503", "not-json", "wrong-shape", "closed", "slow", "drip",
    "never",
)  # fmt: skip
"""Those that another try gets over."""


class Said(NamedTuple):
    """What the truth holds: a line and when it is spoken."""

    start_s: float
    end_s: float
    text: str


@dataclass
class Request:
    """One request as the server saw it."""

    arrived_s: float
    path: str
    key: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    start_s: float = -1.0
    """Where in the whole audio the upload begins; negative where it was not looked for."""
    end_s: float = -1.0
    outcome: str = ""
    """`ok`, the fault's name, `rate`, `audio`, `concurrency`, `hung up` or what was wrong."""


def random_faults(seed: int, count: int, kinds: Sequence[Fault] = PASSING) -> list[Fault]:
    """Faults in an order that looks random and is the same each time, each kind at least once."""
    rng = random.Random(seed)
    drawn = [*kinds, *rng.choices(("ok", *kinds), k=max(0, count - len(kinds)))]
    rng.shuffle(drawn)
    return drawn


class SpeechServer:
    """Use as a context manager; `url` is for OPENAI_BASE_URL, `endpoint` for Azure's.

    Args:
        whole: The whole audio, a 16 kHz mono WAV of 16 bits.
        truth: What is said in it. An upload is answered with the lines whose middle lies in it,
            clipped to it and told from its start.
        time_scale: All times below are multiplied by it: at 1/60 a minute lasts a second.
        latency_s: Of each request, from its arrival.
        latency_per_audio_s: Added for each second of audio.
        requests_per_minute: Arrivals counted in any window of a minute, refused ones included;
            one too many is refused with 429 and counted in `rate_violations`.
        audio_s_per_minute: Stands for tokens per minute: seconds of audio in any minute.
        concurrency: Requests at once; one too many is refused and counted.
        faults: What befalls the requests, in order of arrival; after the last all is well.
        slow_s: How much later a `slow` answer comes (not scaled).
        retry_after_s: What `429` asks to wait (not scaled).
        key: The key to accept; none accepts any.
    """

    def __init__(
        self,
        whole: Path,
        truth: Iterable[Said | tuple[float, float, str]],
        *,
        time_scale: float = 1.0,
        latency_s: float = 0.0,
        latency_per_audio_s: float = 0.0,
        requests_per_minute: int | None = None,
        audio_s_per_minute: float | None = None,
        concurrency: int | None = None,
        faults: Iterable[Fault] = (),
        slow_s: float = 0.5,
        retry_after_s: float = 0.1,
        key: str | None = None,
    ) -> None:
        self.truth = sorted(Said(*line) for line in truth)
        self.minute_s = 60.0 * time_scale
        self.latency_s = latency_s * time_scale
        self.latency_per_audio_s = latency_per_audio_s * time_scale
        self.requests_per_minute = requests_per_minute
        self.audio_s_per_minute = audio_s_per_minute
        self.concurrency = concurrency
        self.slow_s = slow_s
        self.retry_after_s = retry_after_s
        self.key = key
        self.requests: list[Request] = []
        self.rate_violations = 0
        self.concurrency_violations = 0
        self.most_at_once = 0
        self._faults = iter(faults)
        self._whole = WholeAudio(whole)
        self._lock = threading.Lock()
        self._active: dict[int, socket.socket] = {}
        self._stopping = threading.Event()
        self._http = _Http(self)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        return f"{self.endpoint}/v1"

    @property
    def transcribed(self) -> list[tuple[float, float]]:
        """The stretches answered well, in order of time; one paid for twice is there twice."""
        return sorted((r.start_s, r.end_s) for r in self.requests if r.outcome == "ok")

    @property
    def outcomes(self) -> list[str]:
        """How each request ended, in order of arrival."""
        return [request.outcome for request in self.requests]

    @property
    def most_in_a_minute(self) -> int:
        """The most arrivals in any window of a minute."""
        times = [request.arrived_s for request in self.requests]
        return max((self._arrivals(times, at) for at in times), default=0)

    def __enter__(self) -> SpeechServer:
        threading.Thread(target=self._http.serve_forever, args=(POLL_S,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._whole.close()

    # What follows is called by the handler's threads.

    def arrive(self, path: str, connection: socket.socket) -> tuple[Request, Fault]:
        """Count a request in; a limit that it breaks is the fault that befalls it."""
        with self._lock:
            now = time.monotonic()
            # A client that hung up is not being served any more, noticed by its thread or not.
            for ident, other in list(self._active.items()):
                if _hung_up(other):
                    del self._active[ident]
            request = Request(now, path)
            self.requests.append(request)
            self._active[id(request)] = connection
            self.most_at_once = max(self.most_at_once, len(self._active))
            limit = self.requests_per_minute
            if limit and self._arrivals([r.arrived_s for r in self.requests], now) > limit:
                self.rate_violations += 1
                request.outcome = "rate"
                return request, "429"
            if self.concurrency and len(self._active) > self.concurrency:
                self.concurrency_violations += 1
                request.outcome = "concurrency"
                return request, "429"
            return request, next(self._faults, "ok")

    def leave(self, request: Request, outcome: str) -> None:
        """Count a request out; comes before its answer, lest the client's next arrive first."""
        with self._lock:
            self._active.pop(id(request), None)
            request.outcome = request.outcome or outcome

    def locate(self, request: Request, upload: bytes) -> bool:
        """Find an upload in the whole audio."""
        found = self._whole.find(decode(upload))
        if found is not None:
            request.start_s, request.end_s = found[0] / RATE_HZ, found[1] / RATE_HZ
        return found is not None

    def over_audio_limit(self, request: Request) -> bool:
        """Whether the audio of the last minute leaves no room for this request's."""
        if self.audio_s_per_minute is None:
            return False
        with self._lock:
            recent = [
                r.end_s - r.start_s
                for r in self.requests
                if r is not request and r.outcome != "audio" and r.start_s >= 0
                if request.arrived_s - self.minute_s < r.arrived_s <= request.arrived_s
            ]
            total = sum(recent) + request.end_s - request.start_s
            return bool(recent) and total > self.audio_s_per_minute

    def answer(self, request: Request) -> dict[str, object]:
        """The truth about a stretch of audio, as `verbose_json`."""
        length_s = request.end_s - request.start_s
        lines = [
            Said(
                max(0.0, line.start_s - request.start_s),
                min(length_s, line.end_s - request.start_s),
                line.text,
            )
            for line in self.truth
            if request.start_s <= (line.start_s + line.end_s) / 2 < request.end_s
        ]
        return {
            "task": "transcribe",
            "language": "english",
            "duration": length_s,
            "text": " ".join(line.text for line in lines),
            "segments": [
                {
                    "id": number, "seek": 0, "start": line.start_s, "end": line.end_s,
                    "text": f" {line.text}", "tokens": [], "temperature": 0.0,
                    "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01,
                }
                for number, line in enumerate(lines)
            ],
        }  # fmt: skip

    def wait(self, until_s: float, connection: socket.socket) -> bool:
        """Wait; whether the client is still there then."""
        while (left_s := until_s - time.monotonic()) > 0:
            if _hung_up(connection) or self._stopping.wait(min(POLL_S, left_s)):
                return False
        return not _hung_up(connection)

    def _arrivals(self, times: list[float], now: float) -> int:
        return sum(now - self.minute_s < at <= now for at in times)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, speech: SpeechServer) -> None:
        self.speech = speech
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Or each answer waits 40 ms for an acknowledgement.
    server: _Http

    def log_message(self, *_: object) -> None:
        """Requests are recorded, not printed."""

    def do_POST(self) -> None:
        speech = self.server.speech
        connection = self.connection
        request, fault = speech.arrive(self.path, connection)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        request.key = self.headers.get("api-key", bearer)
        upload, request.fields = _multipart(body, self.headers["Content-Type"])
        request.size_bytes = len(upload)
        if fault == "never":
            speech.wait(float("inf"), connection)
            speech.leave(request, "never")
            self.close_connection = True
            return
        if fault == "drip":
            self._drip(request)
            return
        if fault == "closed":
            speech.leave(request, fault)
            self.close_connection = True
            return
        if fault not in ("ok", "slow"):
            self._refuse(request, fault)
            return
        problem = self._problem(request)
        if not problem and not speech.locate(request, upload):
            problem = "this audio is not part of the whole"
        if problem:
            status = 404 if problem.startswith("there is nothing") else 400
            self._send(request, problem, status, _error(problem))
            return
        if speech.key is not None and request.key != speech.key:
            self._refuse(request, "401")
            return
        if speech.over_audio_limit(request):
            wait_s = speech.minute_s / 10
            self._send(
                request, "audio", 429,
                _error("Rate limit reached on tokens per min (TPM)", "rate_limit_exceeded"),
                {"Retry-After": f"{wait_s:.3f}"},
            )  # fmt: skip
            return
        length_s = request.end_s - request.start_s
        latency_s = speech.latency_s + speech.latency_per_audio_s * length_s
        late_s = speech.slow_s if fault == "slow" else 0.0
        if not speech.wait(request.arrived_s + latency_s + late_s, connection):
            speech.leave(request, "hung up")
            self.close_connection = True
            return
        self._send(request, "ok", 200, speech.answer(request))

    def _drip(self, request: Request) -> None:
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while self.server.speech.wait(time.monotonic() + 5 * POLL_S, self.connection):
                self.wfile.write(b" ")
        self.server.speech.leave(request, "drip")
        self.close_connection = True

    def _problem(self, request: Request) -> str:
        plain = self.path == "/v1/audio/transcriptions"
        azure = re.fullmatch(
            r"/openai/deployments/[^/?]+/audio/transcriptions\?api-version=[\w-]+", self.path
        )
        if not plain and not azure:
            return f"there is nothing at {self.path}"
        if plain and not request.fields.get("model"):
            return "which model?"
        if request.fields.get("response_format") != "verbose_json":
            return "the response format is not verbose_json"
        return ""

    def _refuse(self, request: Request, fault: Fault) -> None:
        speech = self.server.speech
        wait_s = speech.retry_after_s
        if request.outcome == "rate":
            wait_s = speech.minute_s
        until = formatdate(time.time() + wait_s, usegmt=True)
        busy = _error("Rate limit reached on requests per min (RPM)", "rate_limit_exceeded")
        quota = _error("You exceeded your current quota", "insufficient_quota")
        wrong_key = _error(f"Incorrect API key provided: {request.key}.", "invalid_api_key")
        answers: dict[str, tuple[int, object, dict[str, str]]] = {
            "429": (429, busy, {"Retry-After": f"{wait_s:.3f}"}),
            "429-ms": (429, busy, {"retry-after-ms": f"{wait_s * 1000:.0f}"}),
            "429-date": (429, busy, {"Retry-After": until}),
            "429-bare": (429, busy, {}),
            "quota": (429, quota, {}),
            "500": (500, _error("The server had an error"), {}),
            "503": (503, b"<html>\nbusy\n</html>", {"Retry-After": f"{wait_s:.3f}"}),
            "not-json": (200, b"<html>\nwelcome\n</html>", {}),
            "wrong-shape": (200, {"segments": "none", "text": 7}, {}),
            "400": (400, _error("Invalid file format.\nSupported: flac"), {}),
            "401": (401, wrong_key, {}),
            "413": (413, _error("Maximum content size limit exceeded"), {}),
        }
        status, body, headers = answers[fault]
        self._send(request, fault, status, body, headers)

    def _send(
        self,
        request: Request,
        outcome: str,
        status: int,
        body: object,
        headers: dict[str, str] | None = None,
    ) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        self.server.speech.leave(request, outcome)
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)


def _error(message: str, code: str | None = None) -> dict[str, object]:
    """An error body as OpenAI and Azure write it."""
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


def _hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _multipart(body: bytes, content_type: str) -> tuple[bytes, dict[str, str]]:
    """The uploaded file, and the plain fields beside it."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    upload, fields = b"", {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        if b"filename=" in head:
            upload = content
        elif name:
            fields[name[1].decode()] = content.decode()
    return upload, fields
