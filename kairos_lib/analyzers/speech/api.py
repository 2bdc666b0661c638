"""Speech by a paid service: chunks of audio, each sent until it is answered, and never again.

All it knows of the service is that it answers or refuses.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from kairos_lib.analyzers.speech.chunks import Chunk, Recording, cut, halves
from kairos_lib.analyzers.speech.engine import UNASSIGNED, Engine, Setup
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.service import ENDPOINT, AzureService, OpenAIService, Transcriber
from kairos_lib.analyzers.speech.store import Line, Store
from kairos_lib.analyzers.vad import Span
from kairos_lib.media import audio
from kairos_lib.remote import patience
from kairos_lib.remote.limits import Limits
from kairos_lib.remote.service import describe_destination


class ApiEngine(Engine):
    """Sends several chunks at once to a service, within its limits."""

    name: ClassVar[str]
    service: ClassVar[type[Transcriber]]

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        settings = self.settings
        self._store = Store(setup.transcripts, self.name, settings.model, settings.language)
        self._limits = Limits(
            setup.transcripts / "limits" / self.name,
            settings.concurrency,
            settings.requests_per_minute,
            patience.PACE.minute_s,
        )
        self._patience = patience.Patience(self.name, self._limits, settings.attempts)
        self._connected: Transcriber | None = None
        self._connecting = threading.Lock()

    @classmethod
    def sends(cls) -> str:
        """The service; missing variables are reported separately."""
        lacking = any(not os.environ.get(name, "").strip() for name in cls.keys)
        return "" if lacking else describe_destination(cls.service.address(), cls.service.key_name)

    def transcribe(
        self, wav: Path, spans: list[Span], progress: Callable[[int, int], None]
    ) -> Iterator[Segment]:
        """Yield the answers in order of time, each as soon as all before it are there."""
        chunks = cut(spans, audio.duration_s(wav))
        with ThreadPoolExecutor(self.settings.concurrency, "speech") as workers:
            futures = [workers.submit(self._transcribe, wav, chunk) for chunk in chunks]
            try:
                for done, future in enumerate(futures, start=1):
                    yield from future.result()
                    progress(done, len(chunks))
            finally:
                # Requests in progress are waited for, since they are paid for; no more are sent.
                self._limits.stop("speech was interrupted")
                workers.shutdown(cancel_futures=True)

    def _transcribe(self, wav: Path, chunk: Chunk) -> list[Segment]:
        """Transcribe a chunk, in halves if it is too large to be sent whole."""
        try:
            recording = Recording(wav, chunk)
            lines = self._lines(recording)
            if lines is None:
                return [s for half in halves(chunk) for s in self._transcribe(wav, half)]
            return _segments(recording, lines)
        except Exception as error:
            # Other chunks may come first in line: all must end, with this reason.
            self._limits.stop(str(error))
            raise

    def _lines(self, recording: Recording) -> tuple[Line, ...] | None:
        """The transcript of a recording; None if it is too large to send."""
        sha256 = recording.sha256()
        with self._store.asking(sha256):
            lines = self._store.get(sha256)
            if lines is None and (flac := recording.flac()) is not None:
                lines = self._patience.ask(functools.partial(self._service().ask, flac))
                self._store.put(sha256, lines)
            return lines

    def prepare(self) -> None:
        """Import the package, which takes a second."""
        import openai  # noqa: F401

    def _service(self) -> Transcriber:
        """Connect when there is something to send: stored transcripts need no key."""
        with self._connecting:
            if self._connected is None:
                self._connected = self.service(self.settings)
            return self._connected


class OpenAI(ApiEngine):
    """OpenAI's transcription service, or one with its interface."""

    name = "openai"
    service = OpenAIService
    keys = (OpenAIService.key_name,)


class Azure(ApiEngine):
    """The same model as a deployment on Azure."""

    name = "azure"
    service = AzureService
    keys = (AzureService.key_name, ENDPOINT)


def _segments(recording: Recording, lines: tuple[Line, ...]) -> list[Segment]:
    """Lines with times in the video, clipped to the recording."""

    def moment(offset_s: float) -> float:
        return min(recording.start_s + offset_s, recording.end_s)

    found = [
        Segment(
            scene=UNASSIGNED,
            start_s=moment(line.start_s),
            end_s=moment(max(line.start_s, line.end_s)),
            text=line.text,
        )
        for line in lines
    ]
    return sorted(found, key=lambda segment: (segment.start_s, segment.end_s))
