"""Retries requests to a service until it answers, within its limits and within reason."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kairos_lib.errors import KairosError
from kairos_lib.remote.limits import Limits
from kairos_lib.remote.service import RefusedError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Pace:
    """Durations used for waiting."""

    minute_s: float = 60.0
    """Length of the minute in requests per minute."""
    first_wait_s: float = 1.0
    """Longest wait after the first refusal; doubles with each further one."""
    longest_wait_s: float = 60.0
    """Limit of the doubling: the services' limits are per minute."""
    longest_asked_s: float = 3600.0
    """A service that asks to wait longer than this has a daily limit."""


PACE = Pace()
"""The default pace. A test or a benchmark with a faster service replaces it."""


class FinalError(KairosError):
    """A service rejected one request, and would reject it again."""

    def __init__(self, reason: str, status: int | None) -> None:
        super().__init__(reason)
        self.status = status
        """The HTTP status, if there was one."""


class Patience:
    """Tries a request until there is an answer.

    Args:
        name: Name of the service in errors.
        limits: Limits of its requests.
        attempts: Maximum for one request.
    """

    def __init__(self, name: str, limits: Limits, attempts: int) -> None:
        self._name = name
        self._limits = limits
        self._attempts = attempts
        self._pace = PACE

    def ask(self, request: Callable[[], Answer]) -> Answer:
        """Send a request until there is an answer.

        Raises:
            FinalError: It was rejected for good.
            KairosError: There was no answer in all attempts, or the limits were stopped.
        """
        for attempt in range(1, self._attempts + 1):
            try:
                with self._limits.request():
                    return request()
            except RefusedError as refused:
                last = refused
            if not last.passing:
                raise FinalError(f"{self._name} refused: {last}", last.status)
            if (last.wait_s or 0.0) > self._pace.longest_asked_s:
                raise KairosError(
                    f"{self._name} asks to wait {(last.wait_s or 0) / 3600:.1f} h ({last}): run "
                    "the same command again then; what is done is kept"
                )
            if attempt < self._attempts:
                self._wait(attempt, last)
        raise KairosError(
            f"{self._name} did not answer in {self._attempts} attempts, the last: {last}: run the "
            "same command again later; what is done is kept"
        )

    def _wait(self, attempt: int, refused: RefusedError) -> None:
        """Wait before the next attempt: doubling, with full jitter, but at least as long as asked.

        Full jitter spreads clients that were refused together as widely as possible
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        pace = self._pace
        ceiling_s = min(pace.longest_wait_s, pace.first_wait_s * 2 ** (attempt - 1))
        wait_s = max(refused.wait_s or 0.0, random.uniform(0.0, ceiling_s))
        if refused.for_all:
            self._limits.pause(wait_s)
        else:
            self._limits.wait(wait_s)
