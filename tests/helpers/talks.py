"""A recording, a server that knows what is said in it, and an engine that asks the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from helpers.recordings import bursts, write_recording
from helpers.speech_server import Said, SpeechServer
from kairos_lib.analyzers.speech.engine import Setup, find
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span

QUARTER_S = 15 * 60.0


@dataclass(frozen=True)
class Talk:
    """A recording with a few words in the middle of each quarter of an hour."""

    folder: Path
    wav: Path
    spans: list[Span]

    @classmethod
    def make(cls, folder: Path, chunks: int) -> Talk:
        folder.mkdir(parents=True, exist_ok=True)
        spans = bursts(chunks, QUARTER_S)
        wav = write_recording(folder / "talk.wav", spans, chunks * QUARTER_S)
        return cls(folder, wav, spans)

    @property
    def truth(self) -> list[Said]:
        return [
            Said(s.start_s + 0.25, s.end_s - 0.25, f"word {n}") for n, s in enumerate(self.spans)
        ]

    @property
    def transcripts(self) -> Path:
        return self.folder / "transcripts"

    def server(self, **options: Any) -> SpeechServer:
        return SpeechServer(self.wav, self.truth, **options)

    def transcribe(
        self,
        server: SpeechServer,
        beneath: str = "",
        environment: dict[str, str | None] | None = None,
        **settings: Any,
    ) -> list[Segment]:
        """Transcribe the talk by a fresh engine."""
        chosen = SpeechSettings.model_validate({"engine": "openai", **settings})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_BASE_URL", server.url + beneath)
            patch.setenv("AZURE_OPENAI_ENDPOINT", server.endpoint + beneath)
            for name, value in (environment or {}).items():
                patch.delenv(name, raising=False)
                if value is not None:
                    patch.setenv(name, value)
            engine = find(chosen.engine)(Setup(chosen, None, self.transcripts))
            engine.prepare()
            return list(engine.transcribe(self.wav, self.spans, lambda done, total: None))

    def check(self, segments: list[Segment]) -> None:
        """All that was said was heard, in order and at its time."""
        assert [s.text for s in segments] == [line.text for line in self.truth]
        for segment, line in zip(segments, self.truth, strict=True):
            assert abs(segment.start_s - line.start_s) < 1e-3
            assert abs(segment.end_s - line.end_s) < 1e-3

    def check_paid_once(self, server: SpeechServer) -> None:
        """Each stretch of speech was answered well exactly once."""
        assert server.transcribed == [(s.start_s, s.end_s) for s in self.spans]
