"""One request to a service with OpenAI's interface, through the `openai` package.

Says of a request that came to nothing whether and when another try makes sense; trying is for
others. The key comes from the environment and goes nowhere but into the request: every text of
the service or the package that leaves this module has the key struck out, and no exception of the
package's (its requests carry the key) leaves it at all.
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
"""Where the `openai` package itself goes where no address is given."""
BUSY = 429
PASSING_STATUS = {408, 409, BUSY}
"""With all from 500 up, the refusals that the `openai` package itself would try again after."""
NO_CREDIT = "insufficient_quota"
"""The 429 that waiting does not cure."""
Answer = TypeVar("Answer")


class RefusedError(Exception):
    """A request that came to nothing."""

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
        """Whether another try may go better."""
        self.wait_s = wait_s
        """How long the service asks to wait, where it does."""
        self.for_all = for_all
        """Whether other requests would fare no better meanwhile."""
        self.status = status
        """The HTTP status, where there was one."""


class GarbageError(Exception):
    """What came is no answer to what was asked."""


class Service(ABC):
    """A service, connected to."""

    # Required

    key_name: str
    """The environment variable that holds its key."""
    advice: ClassVar[dict[int, str]]
    """What to do about refusals that waiting does not cure, by status; `{key_name}` is known."""

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
            post: Does so; raises what the `openai` package raises, or `GarbageError`.

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
        # Raised here, where no exception of the package's can ride along as its context.
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
        message = f"{reason}: {advice.format(key_name=self.key_name)}"
        return RefusedError(message, passing=False, status=status)

    def _clean(self, text: str) -> str:
        """The first line of a text, without the key."""
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return first.replace(self._key, "(key)").rstrip(".:")


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


def from_environment(name: str) -> str:
    """A key or an address of the environment.

    Raises:
        KairosError: It is not there, or cannot be sent.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise KairosError(f"{name} is not set: put it into the environment")
    # The HTTP library quotes a header that it cannot send, and the key would be in that line.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise KairosError(f"{name} holds characters that cannot be sent: set it anew")
    return value


def checked_address(name: str, address: str, key_name: str | None) -> str:
    """An address, if a key may be sent there: to a web server, and by nobody to be read on the way.

    Args:
        name: What the address is called, for the error line.
        address: Where requests are to go.
        key_name: The environment variable of the key that is sent along; none without one.

    Raises:
        KairosError: It is no such address; the line calls it by its name.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # A port or an address in brackets that is none.
        host = ""
    # What programs read differently could be one host here and another where it is sent.
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \\")
    if not address.startswith(("https://", "http://")) or not host or not plain:
        raise KairosError(f"{name} must begin with https:// and a host")
    if "@" in parts.netloc:
        # It would be written into keys of runs and names of folders.
        raise KairosError(f"{name} must hold no name or password")
    if key_name and parts.scheme == "http" and not _is_here(host):
        raise KairosError(
            f"{name} must begin with https://, since {key_name} is sent there and http can be read "
            "on the way"
        )
    return address


def _is_here(host: str) -> bool:
    """Whether a host is this machine, which no network is on the way to."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_destination(address: str, key_name: str | None) -> str:
    """Where something is sent, and with what, for a plan."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}, with {key_name or 'no key'}"


def http_client() -> httpx2.Client:
    """The package's own, but for redirects: followed, they could take a key elsewhere."""
    import openai

    return openai.DefaultHttpxClient(follow_redirects=False)
