"""What a user gives a command, as text: read and checked."""

from __future__ import annotations

import math

import click

from kairos_lib.errors import KairosError


def flag(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    """`FRESH=1` switches on; empty and 0 do not."""
    return (value or "").lower() not in ("", "0", "false", "no")


def whole(name: str, given: str | None, most: int) -> int:
    """A number that a user gave, from 1 on; 0 where none was given."""
    if not given:
        return 0
    if not (given.isdecimal() and 1 <= int(given) <= most):
        raise KairosError(f"{name} must be a whole number from 1 to {most}, not '{given}'")
    return int(given)


def share(name: str, given: str | None, default: float) -> float:
    """A share that a user gave, 0.05 for 5 %; the default where none was given."""
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 10:
        raise KairosError(f"{name} must be a share, such as 0.05 for 5 %, not '{given}'")
    return value


def parts(text: str) -> tuple[str, ...]:
    """What commas divide."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
