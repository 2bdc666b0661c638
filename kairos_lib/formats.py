"""Formats numbers for readers. Knows nothing of what they measure."""

from __future__ import annotations

import functools
from collections.abc import Callable

Writer = Callable[[float], str]
"""Turns a number into text."""
MISSING = "—"


class Number(str):
    """Text of a number, with the number itself, by which tables are sorted."""

    value: float

    def __new__(cls, text: str, value: float) -> Number:
        """A text for a number."""
        written = super().__new__(cls, text)
        written.value = value
        return written


def remembered(write: Writer) -> Callable[[float], Number]:
    """Make a writer's texts keep their numbers, so that `42 ms` sorts before `12.3 s`."""

    @functools.wraps(write)
    def writer(number: float) -> Number:
        return Number(write(number), number)

    return writer


@remembered
def length(seconds: float) -> str:
    """The length of a video: `12.3 s`, `7m 39s`, `1h 02m`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h {minutes % 60:02d}m"


@remembered
def work(seconds: float) -> str:
    """How long something took: `42 ms`, `12.3 s`, `14.2 min`, `2.4 h`."""
    if round(seconds, 3) < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    if round(seconds / 60, 1) < 120:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


@remembered
def factor(rtf: float) -> str:
    """A real-time factor: `0.023x`, `0.42x`, `1.8x`, `140x`."""
    if rtf < 0.1:
        return f"{rtf:#.2g}x"
    if round(rtf, 2) < 1:
        return f"{rtf:.2f}x"
    return f"{rtf:.1f}x" if round(rtf, 1) < 100 else f"{rtf:.0f}x"


def time_code(seconds: float) -> str:
    """A position in a video: `0:12.4`, `1:02:03.4`."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{tenths / 10:04.1f}"


@remembered
def memory(mib: float) -> str:
    """Memory: `310 MiB`, `15.2 GiB`."""
    return f"{mib:.0f} MiB" if round(mib) < 1024 else f"{mib / 1024:.1f} GiB"


@remembered
def share(part: float) -> str:
    """A share of a whole: `38%`, `0.4%`."""
    return f"{part:.0%}" if part >= 0.00995 or part == 0 else f"{part:.1%}"


@remembered
def energy(joules: float) -> str:
    """Energy: `310 J`, `12.4 kJ`."""
    return f"{joules:.0f} J" if round(joules) < 1000 else f"{joules / 1000:,.1f} kJ"


@remembered
def price(amount: float) -> str:
    """An amount of money without its currency: `0.0042`, `0.21`, `12.50`."""
    if amount >= 0.995:
        return f"{amount:,.2f}"
    return f"{amount:#.2g}" if amount >= 0.0001 else "< 0.0001"


@remembered
def milliseconds(seconds: float) -> str:
    """A very short time, which can be negative: `21.3 ms`, `-0.0124 ms`."""
    return f"{seconds * 1000:.3g} ms" if abs(seconds) < 0.9995 else f"{seconds:.2f} s"


@remembered
def rate(per_second: float) -> str:
    """A rate per second: `8.4`, `310`."""
    return f"{per_second:.1f}" if per_second < 99.95 else f"{per_second:,.0f}"


def of_hundred(score: float) -> str:
    """A score between 0 and 1, scaled to 0 to 100: `87.4`."""
    return f"{score * 100:.1f}"


def count(number: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 scene`, `3,000 scenes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shortened(text: str, characters: int) -> str:
    """A text cut to a length, with an ellipsis if something is missing."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"
