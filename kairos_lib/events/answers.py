"""What a model says of a window, read leniently: which event, when, and how sure it says it is.

Models write JSON, Python's way of writing it, either in a sentence or a code block, or neither. The
first object with balanced brackets counts. What cannot be read is an outcome of its own, never an
error: the text itself is kept beside it.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kairos_lib.events.records import Outcome
from kairos_lib.parameters.spotting import Spotting

READ_AT_MOST_CHARS = 4_000
"""Of an answer. A model that runs on says nothing more that counts."""
DEPTH_AT_MOST = 20
"""Of brackets within brackets."""
OBJECTS_AT_MOST = 20
"""Opening brackets at which an object is looked for."""
DETAILS_AT_MOST_CHARS = 500
NOTHING = frozenset(
    {"", "none", "null", "no event", "no events", "nothing", "no", "n/a", "background"}
)
LABELS = ("label", "event", "event_type", "type", "class", "action")
TIMES = ("time", "time_s", "timestamp", "seconds", "at")
CONFIDENCES = ("confidence", "score", "probability")
DETAILS = ("details", "description", "detail", "reason")
NUMBER = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(%|s|sec|seconds)?\s*")


@dataclass(frozen=True)
class Parsed:
    """An answer, read."""

    outcome: Outcome
    label: str = ""
    """One of the task's."""
    said: str = ""
    """The label as the answer has it."""
    label_at: tuple[int, int] | None = None
    """Where in the text it stands: from the first character to behind the last."""
    time_s: float | None = None
    """As the answer names it; what it counts from is for others to know."""
    confidence: float | None = None
    """As the model says of itself, from 0 to 1."""
    team: str = ""
    details: str = ""


def parse(text: str, spotting: Spotting) -> Parsed:
    """Read an answer; there is none that this fails on."""
    known = names(spotting)
    text = text[:READ_AT_MOST_CHARS]
    found = _object(text)
    if found is None:
        return _without_object(text, known, spotting)
    fields, (start, end) = found
    said = _text(fields, LABELS)
    if said is None:
        return Parsed("unreadable")
    plain = _plain(said)
    if plain in NOTHING:
        return Parsed("no event", said=said)
    label = known.get(plain)
    if label is None:
        return Parsed("echo" if _is_echo(said, spotting) else "other label", said=said)
    place = text.find(said, start, end) if said else -1
    return Parsed(
        "event",
        label,
        said,
        (place, place + len(said)) if place >= 0 else None,
        _number(fields, TIMES),
        _share(_number(fields, CONFIDENCES)),
        _text(fields, ("team",)) or "",
        (_text(fields, DETAILS) or "")[:DETAILS_AT_MOST_CHARS],
    )


def names(spotting: Spotting) -> dict[str, str]:
    """All names of the labels as they are compared, each with its label."""
    return {
        _plain(name): label
        for label, aliases in spotting.labels.items()
        for name in (*aliases, label)
    }


def _plain(text: str) -> str:
    """Without what makes no difference: case, spaces around, underscores."""
    return " ".join(text.replace("_", " ").casefold().split()).strip(" .\"'")


def _without_object(text: str, known: dict[str, str], spotting: Spotting) -> Parsed:
    """An answer of bare words: a label, nothing, or the labels said back."""
    plain = _plain(text)
    if plain in NOTHING:
        return Parsed("no event" if plain else "unreadable", said=text.strip())
    if plain in known:
        said = text.strip().strip(".\"'")
        place = text.find(said)
        return Parsed("event", known[plain], said, (place, place + len(said)))
    return Parsed("echo" if _is_echo(text, spotting) else "unreadable")


def _is_echo(text: str, spotting: Spotting) -> bool:
    """Whether a text says most of the labels back, instead of choosing one."""
    low = text.casefold()
    said = sum(label.casefold() in low for label in spotting.labels)
    return said > 1 and said > len(spotting.labels) / 2


def _object(text: str) -> tuple[Mapping[str, Any], tuple[int, int]] | None:
    """The first balanced object that can be read, with where it stands."""
    for opening in islice(re.finditer("{", text), OBJECTS_AT_MOST):
        start = opening.start()
        # A quotation that an apostrophe leaves open runs to the end: then quotes count for nothing.
        for quoted in (True, False):
            end = _balanced_end(text, start, quoted)
            if end is not None and (fields := _read(text[start:end])) is not None:
                return fields, (start, end)
    return None


def _balanced_end(text: str, start: int, quoted: bool) -> int | None:
    """Behind the bracket that closes the one at `start`; none where there is none.

    Args:
        text: An answer.
        start: Of an opening bracket.
        quoted: Whether brackets in quotation marks count for nothing. An apostrophe within a word
            (`player's`) is no such mark.
    """
    depth, quote, place = 0, "", start
    while place < len(text):
        character = text[place]
        if quote:
            if character == "\\":
                place += 1
            elif character == quote and not _within_word(text, place, quote):
                quote = ""
        elif quoted and (
            character == '"' or (character == "'" and not _within_word(text, place, "'"))
        ):
            quote = character
        elif character in "{[":
            depth += 1
            if depth > DEPTH_AT_MOST:
                return None
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    return None


def _within_word(text: str, place: int, quote: str) -> bool:
    if quote != "'" or place == 0 or place + 1 >= len(text):
        return False
    return text[place - 1].isalnum() and text[place + 1].isalnum()


def _read(text: str) -> Mapping[str, Any] | None:
    """An object in JSON or as a Python literal; one with an apostrophe in it as a last resort."""
    for read in (json.loads, ast.literal_eval, _pairs):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of a backslash in a text.
                found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(found, dict) and found:
            return {str(key).strip().casefold(): value for key, value in found.items()}
    return None


PAIR = re.compile(
    r"""['"](?P<key>\w+)['"]\s*:\s*(?:(?P<quote>['"])(?P<text>.*?)(?P=quote)(?=\s*(?:,\s*['"]\w+['"]\s*:|\}))|(?P<bare>[^,'"{}]+))""",
    re.DOTALL,
)
"""A key and its value, which may hold the very quotes that are around it."""


def _pairs(text: str) -> dict[str, str]:
    """Keys and values of an object whose texts have unescaped quotes in them."""
    return {
        match["key"]: match["text"] if match["quote"] else match["bare"].strip()
        for match in PAIR.finditer(text)
    }


def _text(fields: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of some fields that is there, as text; one of a list of one is that one."""
    for key in keys:
        value = fields.get(key)
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if isinstance(value, str):
            return value
        if value is None and key in fields:
            return ""
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value))
    return None


def _number(fields: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """The first of some fields that is a number; `50 %` is a half."""
    for key in keys:
        value = fields.get(key)
        scale = 1.0
        if isinstance(value, str):
            match = NUMBER.fullmatch(value)
            if match is None:
                continue
            value, scale = float(match[1]), 0.01 if match[2] == "%" else 1.0
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value) * scale
            except OverflowError:
                continue
            if math.isfinite(number):
                return number
    return None


def _share(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= 1 else None
