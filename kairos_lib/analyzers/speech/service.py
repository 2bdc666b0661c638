"""One request to a transcription service, through the `openai` package."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationError

from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.speech.store import Line
from kairos_lib.remote.service import (
    OPENAI,
    GarbageError,
    Service,
    checked_address,
    from_environment,
    http_client,
)
from kairos_lib.runs.record import Record

if TYPE_CHECKING:
    import openai


ENDPOINT = "AZURE_OPENAI_ENDPOINT"
"""The environment variable with the address of Azure's deployment."""


class _Segment(Record):
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    text: str


class _Answer(Record):
    """The part of `verbose_json` that is used."""

    text: str
    segments: tuple[_Segment, ...] | None = None


class Transcriber(Service):
    """A transcription service."""

    advice: ClassVar[dict[int, str]] = {
        400: "check speech.model and speech.language in the base profile",
        401: "check {key_name}",
        403: "check {key_name} and what it may be used for",
        404: "check speech.model in the base profile, and the service's address",
    }

    def __init__(self, settings: SpeechSettings) -> None:
        self.settings = settings
        super().__init__()

    @classmethod
    @abstractmethod
    def address(cls) -> str:
        """The address that recordings are sent to.

        Raises:
            KairosError: It is not set, or keys must not be sent there.
        """

    def ask(self, flac: bytes) -> tuple[Line, ...]:
        """Transcribe one file.

        Raises:
            RefusedError: The service gave no transcript.
        """
        return self.asking(lambda: _lines(self._post(flac)))

    def _post(self, flac: bytes) -> bytes:
        """Send the file and read the whole answer within the time limit."""
        timeout_s = self.settings.timeout_s
        fields: dict[str, Any] = {"model": self.settings.model}
        if self.settings.language:
            fields["language"] = self.settings.language
        streaming = self.client.audio.transcriptions.with_streaming_response
        content = bytearray()
        with streaming.create(
            file=("speech.flac", flac, "audio/flac"), response_format="verbose_json", **fields
        ) as response:
            # The package's own limit applies to each pause: a slow trickle would never end.
            answered_s = time.monotonic()
            blocks = response.iter_bytes()
            while True:
                try:
                    block = next(blocks, b"")
                except Exception as error:  # Whatever the HTTP library in use raises.
                    raise GarbageError(f"the answer broke off ({type(error).__name__})") from None
                if not block:
                    return bytes(content)
                content += block
                if time.monotonic() - answered_s > timeout_s:
                    raise GarbageError(f"the answer was not complete after {timeout_s:g} s")


class OpenAIService(Transcriber):
    """OpenAI's service, or any with its interface at `OPENAI_BASE_URL`."""

    key_name = "OPENAI_API_KEY"

    def connect(self, key: str) -> openai.OpenAI:
        """With the key alone."""
        import openai

        return openai.OpenAI(
            api_key=key,
            base_url=self.address(),
            http_client=http_client(),
            max_retries=0,
            timeout=self.settings.timeout_s,
        )

    @classmethod
    def address(cls) -> str:
        """From the environment, or OpenAI's own."""
        given = os.environ.get("OPENAI_BASE_URL") or OPENAI
        return checked_address("OPENAI_BASE_URL", given, cls.key_name)


class AzureService(Transcriber):
    """A deployment on Azure; the settings' model is the deployment's name."""

    key_name = "AZURE_OPENAI_API_KEY"

    def connect(self, key: str) -> openai.OpenAI:
        """With the key and the endpoint."""
        import openai

        return openai.AzureOpenAI(
            api_key=key,
            azure_endpoint=self.address(),
            http_client=http_client(),
            api_version=self.settings.api_version,
            max_retries=0,
            timeout=self.settings.timeout_s,
        )

    @classmethod
    def address(cls) -> str:
        """From the environment."""
        return checked_address(ENDPOINT, from_environment(ENDPOINT), cls.key_name)


def _lines(content: bytes) -> tuple[Line, ...]:
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError:
        raise GarbageError("the answer is not a verbose_json transcript") from None
    if answer.segments is None and answer.text.strip():
        raise GarbageError("the answer has text but no segments")
    return tuple(
        Line(start_s=s.start, end_s=s.end, text=s.text.strip())
        for s in answer.segments or ()
        if s.text.strip()
    )
