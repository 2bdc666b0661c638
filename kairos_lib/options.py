"""Reads and checks command options, which arrive as text."""

from __future__ import annotations

import math
import re
import shlex
from typing import Any

import click

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted

PREFIX = "KAIROS_"
"""Prefix of the environment variables by which make passes its variables."""
ON = frozenset({"1", "yes", "true", "on"})
OFF = frozenset({"", "0", "no", "false", "off"})


def flag(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    """`FRESH=1` switches on; empty and 0 do not."""
    return switched(str(parameter.envvar).removeprefix(PREFIX), value)


def switched(name: str, value: str | None) -> bool:
    """Whether an option's value switches it on.

    Raises:
        KairosError: It means neither yes nor no.
    """
    word = (value or "").strip().lower()
    if word not in ON | OFF:
        raise KairosError(f"{name} must be 1 or 0 (or yes, no, on, off), not {quoted(value)}")
    return word in ON


class Switch(click.types.BoolParamType):
    """A flag without a value, which an environment variable can switch on or off."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Report a value that click accepts as neither in one line."""
        if isinstance(value, str) and param is not None:
            return switched(str(param.envvar).removeprefix(PREFIX), value)
        return super().convert(value, param, ctx)


class Words(click.ParamType[str]):
    """Words as in a shell; an environment variable holds several, with quotes."""

    name = "words"

    def split_envvar_value(self, rv: str) -> list[str]:
        """`--port 8890 --title 'a b'` as four words."""
        try:
            return shlex.split(rv)
        except ValueError as error:
            raise KairosError(f"{quoted(rv)}: {str(error).lower()}") from error


def whole(name: str, given: str | None, most: int) -> int:
    """A whole number from 1 on; 0 if none was given."""
    if not given:
        return 0
    if not (given.isdecimal() and 1 <= int(given) <= most):
        raise KairosError(f"{name} must be a whole number from 1 to {most}, not '{given}'")
    return int(given)


def numbers(name: str, given: str | None, most: float) -> tuple[float, ...]:
    """Numbers from 0 on with commas between; none if none were given."""
    try:
        found = tuple(float(part) for part in parts(given or ""))
    except ValueError:
        found = (math.nan,)
    if not all(0 <= number <= most for number in found):
        raise KairosError(
            f"{name} must be numbers from 0 to {most:g}, such as 0,0.7, not '{given}'"
        )
    return found


MOMENT = re.compile(r"(?:(?:([0-9]+):)?([0-9]{1,3}):)?([0-9]+(?:\.[0-9]+)?)")


def moment_s(name: str, given: str | None) -> float | None:
    """A moment that a user gave: seconds, or 1:30, or 1:02:03.5; none where none was given."""
    if not given:
        return None
    match = MOMENT.fullmatch(given.strip())
    if match is None or len(given) > 20:
        raise KairosError(f"{name} must be seconds or H:MM:SS, such as 90 or 1:30, not '{given}'")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def share(name: str, given: str | None, default: float) -> float:
    """A share, 0.05 for 5 %; the default if none was given."""
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
    """The parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


fresh_option = click.option(
    "--fresh",
    envvar="KAIROS_FRESH",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="Run again what is already done; the old results are set aside.",
)
model_id_option = click.option(
    "--model-id", envvar="KAIROS_MODEL_ID", help="For MODEL=auto: a hub's id, or a path."
)
suite_option = click.option("--suite", envvar="KAIROS_SUITE", help="Name of a suite.")
