"""SRT and WebVTT. Knows nothing of scenes or models, only of cues.

WebVTT: https://www.w3.org/TR/webvtt1/. SRT has no standard; this follows
https://www.matroska.org/technical/subtitles.html and FFmpeg.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from kairos_lib.publish.cues import Cue

LINE_CHARACTERS = 42
"""Characters of a line on screen (Netflix, "English Timed Text Style Guide")."""
ARROW = re.compile("-{2,}>")
"""Separates the times of a cue, and must not occur anywhere else."""
# In SRT, players interpret `<b>` and `{\an8}` as markup, and there is no way to escape them.
SRT_TAG = re.compile(r"<(?=\s*[A-Za-z/!])")
SRT_BRACES = str.maketrans("{}", "()")


def srt(cues: Iterable[Cue]) -> str:
    """The text of an SRT file."""
    return "\n".join(_blocks(cues, ",", _plain))


def webvtt(cues: Iterable[Cue], notes: Iterable[str] = ()) -> str:
    """The text of a WebVTT file.

    Args:
        cues: In the order of time.
        notes: Comments before them, which players do not show.
    """
    lines = [line for note in notes for line in _lines(note, _without_arrow)]
    head = ["WEBVTT\n", *(["NOTE\n" + "\n".join(lines) + "\n"] if lines else [])]
    return "\n".join([*head, *_blocks(cues, ".", _escaped)])


def _blocks(cues: Iterable[Cue], mark: str, safe: Callable[[str], str]) -> Iterator[str]:
    """Each cue with its number, without those that have nothing to show."""
    number = 0
    for cue in cues:
        if lines := list(_lines(cue.text, safe)):
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


def _lines(text: str, safe: Callable[[str], str]) -> Iterator[str]:
    """A text as lines of a screen, none of them empty: that would end the cue."""
    # Other white space, such as line ends of any kind, becomes a space; terminal control characters
    # and surrogates are left out.
    words = "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cs")
    )
    for line in textwrap.wrap(words.strip(), LINE_CHARACTERS, break_on_hyphens=False):
        yield safe(line)


def _without_arrow(line: str) -> str:
    return ARROW.sub("->", line)


def _plain(line: str) -> str:
    """A line without markup: its opening characters are replaced by similar ones."""
    return SRT_TAG.sub("‹", _without_arrow(line)).translate(SRT_BRACES)


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
