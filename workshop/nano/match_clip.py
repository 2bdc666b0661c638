"""Makes the clip of a match: the mp4 file, and beside it when what happens."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from kairos_lib.events.formats import write_soccernet
from kairos_lib.nano.truth import CLIPS
from workshop.nano.encode import Format, write_mp4
from workshop.nano.match import HEIGHT_PX, WIDTH_PX, Match, held_out
from workshop.nano.match_frames import Painter
from workshop.nano.plays import draw_match
from workshop.nano.sound import SAMPLE_RATE_HZ, Wave, play

DEMO = "demo-match-long"
DEMO_SEED = 28
"""Of a match that is held out: it is shown, and was never learnt from."""
DURATION_S = 240.0
FRAMES_PER_SECOND = Fraction(12)
"""Half a second is whole frames: at two a second, just one falls into the opening of an event."""
_FORMAT = Format(WIDTH_PX, HEIGHT_PX, FRAMES_PER_SECOND, audio_bits_per_s=16_000)


def truth_beside(clip: Path) -> Path:
    """Where it is told what happens in the clip of a match."""
    return clip.with_suffix(".events.json")


def make_match_clip(match: Match, clip: Path) -> None:
    """Draw, sound and encode a match, and write its events beside it in SoccerNet's JSON.

    Args:
        match: The same match gives the same clip.
        clip: The mp4 file to write.
    """
    clip.parent.mkdir(parents=True, exist_ok=True)
    painter = Painter(match)
    count = round(match.duration_s * FRAMES_PER_SECOND)
    frames = (painter.frame(float(index / FRAMES_PER_SECOND)) for index in range(count))
    write_mp4(clip, frames, _sound_of(match), _FORMAT)
    write_soccernet(truth_beside(clip), match.events, "annotations")


def make_demo(folder: Path = CLIPS) -> Path:
    """Make the match that ships with the package.

    Returns:
        Its clip.
    """
    clip = folder / f"{DEMO}.mp4"
    make_match_clip(draw_match(DEMO_SEED, DURATION_S), clip)
    return clip


def unseen_seeds(count: int, first: int = 100) -> list[int]:
    """The first seeds of held-out matches, from one on that lies behind the demo's."""
    found: list[int] = []
    seed = first
    while len(found) < count:
        if held_out(seed):
            found.append(seed)
        seed += 1
    return found


def _sound_of(match: Match) -> Wave:
    rng = np.random.default_rng(match.seed)
    wave = np.zeros(round(match.duration_s * SAMPLE_RATE_HZ), dtype=np.float32)
    for heard in match.heard:
        start = round(heard.start_s * SAMPLE_RATE_HZ)
        piece = play(heard.sound, heard.duration_s, rng)[: max(len(wave) - start, 0)]
        # A goal's applause may last into the next whistle.
        wave[start : start + len(piece)] += piece
    return np.clip(wave, -1.0, 1.0)
