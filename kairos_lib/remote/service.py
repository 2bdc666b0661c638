"""One request to a service with OpenAI's interface, through the `openai` package.

Classifies failed requests by whether and when another attempt makes sense; other modules retry.
The key comes from the environment and is used only in requests: it is removed from every text of
the service or the package that leaves this module, and no exception of the package (its requests
contain the key) leaves it at all.
"""

from __future__ import annotations

import ipaddress
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from kairos_lib.errors import KairosError

if TYPE_CHECKING:
    import httpx2
    import openai

OPENAI = "https://api.openai.com/v1"
"""The `openai` package's default address."""
BUSY = 429
PASSING_STATUS = {408, 409, BUSY}
"""Refusals that the `openai` package itself would retry, along with all from 500 up."""
NO_CREDIT = "insufficient_quota"
"""The 429 that waiting does not fix."""
Answer = TypeVar("Answer")


class RefusedError(Exception):
    """A request that failed."""

    def __init__(
        self,
        reason: str,
        passing: bool,
        wait_s: float | None = None,
        for_all: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.passing = passing
        """Whether another attempt may succeed."""
        self.wait_s = wait_s
        """How long the service asks to wait, if it does."""
        self.for_all = for_all
        """Whether other requests would also fail for now."""
        self.status = status
        """The HTTP status, if there was one."""


class GarbageError(Exception):
    """The response is not a valid answer."""


class Service(ABC):
    """A connection to a service."""

    # Required

    key_name: str
    """The environment variable that holds its key."""
    advice: ClassVar[dict[int, str]]
    """What to do about refusals that waiting does not fix, by status; may contain `{key_name}`."""

    @abstractmethod
    def connect(self, key: str) -> openai.OpenAI:
        """A client that tries once and gives up after the time limit."""

    # Optional

    def key(self) -> str:
        """The key."""
        return from_environment(self.key_name)

    def __init__(self) -> None:
        self._key = self.key()
        self.client = self.connect(self._key)

    def asking(self, post: Callable[[], Answer]) -> Answer:
        """Send a request and read its answer.

        Args:
            post: Sends it; raises what the `openai` package raises, or `GarbageError`.

        Raises:
            RefusedError: There was no answer.
        """
        import openai

        try:
            return post()
        except openai.APIStatusError as error:
            refused = self._explain(error)
        except openai.APIConnectionError as error:
            cause = f" ({error.__cause__})" if error.__cause__ and str(error.__cause__) else ""
            refused = RefusedError(self._clean(f"{error.message}{cause}"), passing=True)
        except openai.OpenAIError as error:
            refused = RefusedError(self._clean(str(error)), passing=False)
        except GarbageError as error:
            refused = RefusedError(self._clean(str(error)), passing=True)
        # Raised here, so that no exception of the package is attached as its context.
        raise refused

    def _explain(self, error: openai.APIStatusError) -> RefusedError:
        status = error.status_code
        given = error.body.get("message") if isinstance(error.body, dict) else None
        message = self._clean(str(given)) if given else f"no message in its answer of {status}"
        reason = f"{status}: {message}"
        if error.code == NO_CREDIT:
            return RefusedError(f"{reason}: add credit or raise the account's limit", passing=False)
        if status in PASSING_STATUS or status >= 500:
            return RefusedError(reason, True, wait_of(error.response.headers), status == BUSY)
        advice = self.advice.get(status, "this will not change by trying again")
        advised = f"{reason}: {advice.format(key_name=self.key_name)}"
        return RefusedError(advised, passing=False, status=status)

    def _clean(self, text: str) -> str:
        """The first line of a text, without the key."""
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return first.replace(self._key, "(key)").rstrip(".:")


def wait_of(headers: Any) -> float | None:
    """How long the headers of a refusal ask to wait, in seconds; None if they do not.

    `retry-after-ms` is OpenAI's and Azure's; `Retry-After` is in seconds or a date (RFC 9110,
    10.2.3), which is compared with the answer's own `Date`, so that a wrong clock here does not
    matter.
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


def from_environment(name: str) -> str:
    """A key or an address from the environment.

    Raises:
        KairosError: It is not set, or cannot be sent.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise KairosError(f"{name} is not set: put it into the environment")
    # The HTTP library quotes headers that it cannot send, and the key would be in the message.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise KairosError(f"{name} holds characters that cannot be sent: set it again")
    return value


def checked_address(name: str, address: str, key_name: str | None) -> str:
    """Check that a key may be sent to an address: a web server, over a connection no one can read.

    Args:
        name: Name of the address in the error message.
        address: Where requests are to go.
        key_name: The environment variable of the key that is sent along; None without a key.

    Raises:
        KairosError: It is not such an address.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # An invalid port or bracketed address.
        host = ""
    # Programs parse such addresses differently: the host checked here could be another one.
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \\")
    if not address.startswith(("https://", "http://")) or not host or not plain:
        raise KairosError(f"{name} must begin with https:// and a host")
    if "@" in parts.netloc:
        # It would be written into run keys and folder names.
        raise KairosError(f"{name} must hold no name or password")
    if key_name and parts.scheme == "http" and not is_here(host):
        raise KairosError(
            f"{name} must begin with https://, since {key_name} is sent there and http can be read "
            "on the way"
        )
    return address


def is_here(host: str) -> bool:
    """Whether a host is this machine, so that no network is involved."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_destination(address: str, key_name: str | None) -> str:
    """Where something is sent, and with which key, for a plan."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}, with {key_name or 'no key'}"


def http_client() -> httpx2.Client:
    """The package's own client, but without redirects, which could take a key elsewhere."""
    import openai

    return openai.DefaultHttpxClient(follow_redirects=False)
