"""SRT and WebVTT: what stands on a screen from when to when. Knows nothing of scenes or models.

WebVTT: https://www.w3.org/TR/webvtt1/. SRT has no standard; this follows
https://www.matroska.org/technical/subtitles.html and FFmpeg.
"""

from __future__ import annotations

import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

LINE_CHARACTERS = 42
"""Of a line on screen (Netflix, "English Timed Text Style Guide")."""
ONE_LINE = sys.maxsize
ARROW = re.compile("-{2,}>")
"""Separates the times of a cue, and must not occur anywhere else."""
# In SRT, players interpret `<b>` and `{\an8}` as markup, and there is no way to escape them.
SRT_TAG = re.compile(r"<(?=\s*[A-Za-z/!])")
SRT_BRACES = str.maketrans("{}", "()")


@dataclass(frozen=True)
class Cue:
    """A text and when it is shown."""

    start_s: float
    end_s: float
    text: str


def srt(cues: Iterable[Cue]) -> str:
    """The text of an SRT file."""
    return "\n".join(_blocks(cues, ",", _plain))


def webvtt(
    cues: Iterable[Cue], notes: Iterable[str] = (), line_characters: int = LINE_CHARACTERS
) -> str:
    """The text of a WebVTT file.

    Args:
        cues: In the order of time.
        notes: Comments in front of them, which no player shows.
        line_characters: Of a line of a cue; `ONE_LINE` for the titles of chapters, which may
            have no other.
    """
    lines = [line for note in notes for line in _lines(note, _without_arrow)]
    head = ["WEBVTT\n", *(["NOTE\n" + "\n".join(lines) + "\n"] if lines else [])]
    return "\n".join([*head, *_blocks(cues, ".", _escaped, line_characters)])


def _blocks(
    cues: Iterable[Cue],
    mark: str,
    safe: Callable[[str], str],
    line_characters: int = LINE_CHARACTERS,
) -> Iterator[str]:
    """Each cue with its number, without those that have nothing to show."""
    number = 0
    for cue in cues:
        if lines := list(_lines(cue.text, safe, line_characters)):
            number += 1
            yield "\n".join([f"{number}", _times(cue, mark), *lines]) + "\n"


def _times(cue: Cue, mark: str) -> str:
    start_ms = max(0, round(cue.start_s * 1000))
    # A cue that ends as it begins is not valid.
    end_ms = max(start_ms + 1, round(cue.end_s * 1000))
    return f"{_stamp(start_ms, mark)} --> {_stamp(end_ms, mark)}"


def _stamp(milliseconds: int, mark: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{milliseconds:03d}"


def _lines(
    text: str, safe: Callable[[str], str], line_characters: int = LINE_CHARACTERS
) -> Iterator[str]:
    """A text as lines of a screen, none of which is empty: that would end the cue."""
    # Other white space, such as line ends of any kind, becomes a space; what controls a terminal
    # or is half a character is left out.
    words = "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cs")
    )
    for line in textwrap.wrap(words.strip(), line_characters, break_on_hyphens=False):
        yield safe(line)


def _without_arrow(line: str) -> str:
    return ARROW.sub("->", line)


def _plain(line: str) -> str:
    """A line without markup: its opening characters are replaced by similar ones."""
    return SRT_TAG.sub("‹", _without_arrow(line)).translate(SRT_BRACES)


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
