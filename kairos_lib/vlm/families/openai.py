"""Any server with OpenAI's chat interface: OpenAI, Azure, vLLM, SGLang, `transformers serve`.

Frames are sent as pictures, several requests at once within the server's limits, and answers are
streamed so that the time to the first token is known. Tokens are as counted by the server.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.project import slug
from kairos_lib.remote import patience
from kairos_lib.remote.limits import Limits
from kairos_lib.remote.service import (
    OPENAI,
    GarbageError,
    Service,
    checked_address,
    describe_destination,
    http_client,
)
from kairos_lib.vlm.adapter import Adapter, Generated, Prepared, Request
from kairos_lib.vlm.choosing import Choosing
from kairos_lib.vlm.controls import Controls
from kairos_lib.weights.disk import downloads

if TYPE_CHECKING:
    import openai

OF_ONE_SCENE = frozenset({400, 413, 422})
"""Status codes about the content of one request; any other would affect all requests alike."""
GREEDY = Choosing()
"""How captions are decoded, here as everywhere."""
NO_KEY = "no-key-is-wanted"
"""Sent as the key to a server that needs none: the package always sends one."""


@dataclass(frozen=True)
class Answer:
    """Result of one request."""

    text: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    truncated: bool = False
    first_s: float = 0.0
    """From sending until the first words."""
    rest_s: float = 0.0
    """From then until the last."""
    error: str = ""
    """Why the scene has no caption."""
    reason: str = ""
    """Why the server cannot answer any scene for now."""


class Family(Adapter):
    """One model on a server."""

    version: ClassVar[int] = 1

    def load(self) -> None:
        """Prepare the connection; nothing is sent."""
        settings = self.settings
        self._service = ChatService(settings)
        server = settings.server
        # Shared by all projects of the user: the server counts them together.
        self._limits = Limits(
            downloads() / "limits" / slug(place(settings)),
            server.concurrency,
            server.requests_per_minute,
            patience.PACE.minute_s,
        )
        self._patience = patience.Patience(settings.weights.id, self._limits, server.attempts)

    def prepare(self, requests: list[Request]) -> Prepared:
        """Encode frames as PNG, which is lossless, then add the text."""
        messages = [
            [
                {
                    "role": "user",
                    "content": [
                        *({"type": "image_url", "image_url": {"url": png(i)}} for i in r.images),
                        # Its tokenizer is unknown: control tokens can only be recognised by
                        # pattern.
                        {"type": "text", "text": Controls().broken(r.prompt)},
                    ],
                }
            ]
            for r in requests
        ]
        # The answer says how many tokens the prompt has.
        none = (0,) * len(requests)
        return Prepared(messages, none, none)

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        """Request all captions at once, within the limits."""
        limit = max_new_tokens or self.settings.generation.max_new_tokens
        ask = functools.partial(self._ask, limit)
        with ThreadPoolExecutor(self.settings.server.concurrency, "server") as pool:
            try:
                answers = list(pool.map(ask, prepared.inputs))
            except BaseException:
                self._limits.stop("captioning was interrupted")
                raise
        reasons = {place: a.reason for place, a in enumerate(answers) if a.reason}
        return Generated(
            texts=tuple(answer.text for answer in answers),
            new_tokens=tuple(answer.new_tokens for answer in answers),
            truncated=tuple(answer.truncated for answer in answers),
            # Waiting for the limits and for another attempt is in neither: it counts as other time.
            prefill_s=statistics.fmean(answer.first_s for answer in answers),
            decode_s=statistics.fmean(answer.rest_s for answer in answers),
            prompt_tokens=tuple(answer.prompt_tokens for answer in answers),
            errors=tuple(answer.error for answer in answers),
            unanswered=frozenset(reasons),
            reason=next(iter(reasons.values()), ""),
        )

    def _ask(self, limit: int, messages: Any) -> Answer:
        """One answer. An exception would lose the others', which are paid for."""
        try:
            return self._patience.ask(
                lambda: self._service.ask(messages, limit, self.choosing or GREEDY)
            )
        except patience.FinalError as error:
            if error.status in OF_ONE_SCENE:
                return Answer(error=str(error))
            reason = str(error)
        except KairosError as error:
            reason = str(error)
        self._limits.stop(reason)
        return Answer(reason=reason)


class ChatService(Service):
    """A server's chat completions."""

    advice: ClassVar[dict[int, str]] = {
        400: "check weights.id and generation of the model",
        401: "check {key_name}",
        403: "check {key_name} and what it may be used for",
        404: "check weights.id and server.base_url of the model",
    }

    def __init__(self, settings: Model) -> None:
        self.settings = settings
        self.key_name = settings.server.key_name or "server.key_name of the model"
        super().__init__()

    def key(self) -> str:
        """From the environment, if the server needs one."""
        return super().key() if self.settings.server.key_name else NO_KEY

    def connect(self, key: str) -> openai.OpenAI:
        """Connect to the model's address."""
        import openai

        return openai.OpenAI(
            api_key=key,
            base_url=address(self.settings),
            http_client=http_client(),
            max_retries=0,
            timeout=self.settings.server.timeout_s,
        )

    def ask(self, messages: Any, max_new_tokens: int, choosing: Choosing = GREEDY) -> Answer:
        """Request one answer.

        Raises:
            RefusedError: The server gave none.
        """
        return self.asking(lambda: self._streamed(messages, max_new_tokens, choosing))

    def _streamed(self, messages: Any, max_new_tokens: int, choosing: Choosing) -> Answer:
        server = self.settings.server
        options: dict[str, Any] = {}
        if server.asked_for_usage:
            options["stream_options"] = {"include_usage": True}
        if choosing.temperature > 0:
            options |= {"top_p": choosing.top_p, "seed": choosing.seed}
        started = time.perf_counter()
        first_s = 0.0
        words: list[str] = []
        reason, usage = None, None
        with self.client.chat.completions.create(
            model=self.settings.weights.id,
            messages=messages,
            max_completion_tokens=max_new_tokens,
            temperature=choosing.temperature,
            stream=True,
            **options,
        ) as stream:
            for part in _parts(stream):
                usage = part.usage or usage
                for choice in part.choices:
                    if choice.delta.content:
                        first_s = first_s or time.perf_counter() - started
                        words.append(choice.delta.content)
                    reason = choice.finish_reason or reason
                # The package's own limit applies to each pause: a slow trickle would never end.
                if time.perf_counter() - started > server.timeout_s:
                    raise GarbageError(f"the answer was not complete after {server.timeout_s:g} s")
        ended_s = time.perf_counter() - started
        if reason is None:
            raise GarbageError("the answer broke off")
        if usage is None:
            raise GarbageError("the answer does not say how many tokens it took")
        return Answer(
            text="".join(words).strip(),
            prompt_tokens=usage.prompt_tokens,
            new_tokens=usage.completion_tokens,
            truncated=reason == "length",
            first_s=first_s or ended_s,
            rest_s=ended_s - first_s if first_s else 0.0,
        )


def _parts(stream: Any) -> Iterator[Any]:
    """Chunks of a stream; any exception that interrupts it becomes a GarbageError."""
    import openai

    parts = iter(stream)
    while True:
        try:
            part = next(parts, None)
        except openai.APIStatusError:
            raise
        except openai.APIError as error:
            # The error came in the middle of a good answer, so it is temporary.
            raise GarbageError(f"the answer broke off: {error.message}") from None
        except Exception as error:
            raise GarbageError(f"the answer broke off ({type(error).__name__})") from None
        if part is None:
            return
        yield part


def address(settings: Model) -> str:
    """The address of a model's server.

    Raises:
        KairosError: It is not a valid address.
    """
    server = settings.server
    given = server.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI
    return checked_address(f"server.base_url of {settings.name}", given, server.key_name)


def destination(settings: Model) -> str:
    """Where a model's frames are sent, and with which key."""
    return describe_destination(address(settings), settings.server.key_name)


def place(settings: Model) -> str:
    """The server's name and the path there, for a record."""
    parts = urlsplit(address(settings))
    return f"{parts.netloc}{parts.path}".rstrip("/")


def png(image: np.ndarray) -> str:
    """A frame of shape (height, width, 3) as a data URL."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
