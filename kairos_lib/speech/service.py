"""One request to a transcription service, through the `openai` package.

Says of a request that came to nothing whether and when another try makes sense; trying is for
others. The key comes from the environment and goes nowhere but into the request: every text of
the service or the package that leaves this module has the key struck out, and no exception of the
package's (its requests carry the key) leaves it at all.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.records import Record
from kairos_lib.settings import SpeechSettings
from kairos_lib.speech.store import Line

if TYPE_CHECKING:
    import openai

BUSY = 429
PASSING_STATUS = {408, 409, BUSY}
"""With all from 500 up, the refusals that the `openai` package itself would try again after."""
NO_CREDIT = "insufficient_quota"
"""The 429 that waiting does not cure."""
ADVICE = {
    400: "check speech.model and speech.language in the base profile",
    401: "check {key_name}",
    403: "check {key_name} and what it may be used for",
    404: "check speech.model in the base profile, and the service's address",
}


class RefusedError(Exception):
    """A request that came to nothing."""

    def __init__(
        self, reason: str, passing: bool, wait_s: float | None = None, for_all: bool = False
    ) -> None:
        super().__init__(reason)
        self.passing = passing
        """Whether another try may go better."""
        self.wait_s = wait_s
        """How long the service asks to wait, where it does."""
        self.for_all = for_all
        """Whether other requests would fare no better meanwhile."""


class _GarbageError(Exception):
    """What came is no transcript."""


class _Segment(Record):
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    text: str


class _Answer(Record):
    """The part of `verbose_json` that is used."""

    text: str
    segments: tuple[_Segment, ...] | None = None


class Service(ABC):
    """A service, connected to."""

    key_name: str
    """The environment variable that holds its key."""

    def __init__(self, settings: SpeechSettings) -> None:
        self._settings = settings
        self._key = _from_environment(self.key_name)
        self._client = self._connect()

    @abstractmethod
    def _connect(self) -> openai.OpenAI:
        """A client that tries once and gives up after the time limit."""

    def ask(self, flac: bytes) -> tuple[Line, ...]:
        """Have one file transcribed.

        Raises:
            RefusedError: It was not.
        """
        import openai

        try:
            return _lines(self._post(flac))
        except openai.APIStatusError as error:
            refused = self._explain(error)
        except openai.APIConnectionError as error:
            cause = f" ({error.__cause__})" if error.__cause__ and str(error.__cause__) else ""
            refused = RefusedError(self._clean(f"{error.message}{cause}"), passing=True)
        except _GarbageError as error:
            refused = RefusedError(self._clean(str(error)), passing=True)
        # Raised here, where no exception of the package's can ride along as its context.
        raise refused

    def _post(self, flac: bytes) -> bytes:
        """Send the file and read the answer whole, within the time limit."""
        timeout_s = self._settings.timeout_s
        fields: dict[str, Any] = {"model": self._settings.model}
        if self._settings.language:
            fields["language"] = self._settings.language
        streaming = self._client.audio.transcriptions.with_streaming_response
        content = bytearray()
        with streaming.create(
            file=("speech.flac", flac, "audio/flac"), response_format="verbose_json", **fields
        ) as response:
            # The package's own limit is on each silence: an answer that drips would never end.
            answered_s = time.monotonic()
            blocks = response.iter_bytes()
            while True:
                try:
                    block = next(blocks, b"")
                except Exception as error:  # The HTTP library's own, whichever it is by now.
                    raise _GarbageError(f"the answer broke off ({type(error).__name__})") from None
                if not block:
                    return bytes(content)
                content += block
                if time.monotonic() - answered_s > timeout_s:
                    raise _GarbageError(f"the answer was not whole after {timeout_s:g} s")

    def _explain(self, error: openai.APIStatusError) -> RefusedError:
        status = error.status_code
        told = error.body.get("message") if isinstance(error.body, dict) else None
        message = self._clean(str(told)) if told else f"no message in its answer of {status}"
        reason = f"{status}: {message}"
        if error.code == NO_CREDIT:
            return RefusedError(f"{reason}: add credit or raise the account's limit", passing=False)
        if status in PASSING_STATUS or status >= 500:
            return RefusedError(reason, True, wait_of(error.response.headers), status == BUSY)
        advice = ADVICE.get(status, "this will not change by trying again")
        return RefusedError(f"{reason}: {advice.format(key_name=self.key_name)}", passing=False)

    def _clean(self, text: str) -> str:
        """The first line of a text, without the key."""
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return first.replace(self._key, "(key)").rstrip(".:")


class OpenAIService(Service):
    """OpenAI's service, or any with its interface at `OPENAI_BASE_URL`."""

    key_name = "OPENAI_API_KEY"

    def _connect(self) -> openai.OpenAI:
        import openai

        _check_address("OPENAI_BASE_URL", os.environ.get("OPENAI_BASE_URL"))
        return openai.OpenAI(api_key=self._key, max_retries=0, timeout=self._settings.timeout_s)


class AzureService(Service):
    """A deployment on Azure; the settings' model is the deployment's name."""

    key_name = "AZURE_OPENAI_API_KEY"

    def _connect(self) -> openai.OpenAI:
        import openai

        endpoint = _from_environment("AZURE_OPENAI_ENDPOINT")
        _check_address("AZURE_OPENAI_ENDPOINT", endpoint)
        return openai.AzureOpenAI(
            api_key=self._key,
            azure_endpoint=endpoint,
            api_version=self._settings.api_version,
            max_retries=0,
            timeout=self._settings.timeout_s,
        )


def wait_of(headers: Any) -> float | None:
    """How long the headers of a refusal ask to wait, in seconds; none where they do not.

    `retry-after-ms` is OpenAI's and Azure's; `Retry-After` is in seconds or a date (RFC 9110,
    10.2.3), which is read against the answer's own `Date`, lest a wrong clock here matter.
    """
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        wanted = headers.get("retry-after")
        if not wanted:
            return None
        try:
            return max(0.0, float(wanted))
        except ValueError:
            until = parsedate_to_datetime(wanted).timestamp()
        sent = headers.get("date")
        now = parsedate_to_datetime(sent).timestamp() if sent else time.time()
        return max(0.0, until - now)
    except ValueError:
        return None


def _lines(content: bytes) -> tuple[Line, ...]:
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError:
        raise _GarbageError("the answer is not a verbose_json transcript") from None
    if answer.segments is None and answer.text.strip():
        raise _GarbageError("the answer has text but no segments")
    return tuple(
        Line(start_s=s.start, end_s=s.end, text=s.text.strip())
        for s in answer.segments or ()
        if s.text.strip()
    )


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise KairosError(
            f"{name} is not set: put it into the environment, or choose another speech.engine"
        )
    # The HTTP library quotes a header that it cannot send, and the key would be in that line.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise KairosError(f"{name} holds characters that cannot be sent: set it anew")
    return value


def _check_address(name: str, address: str | None) -> None:
    if address and not address.startswith(("https://", "http://")):
        raise KairosError(f"{name} must begin with https://")
