"""Describes defects of a video file that could still be decoded."""

from __future__ import annotations

from kairos_lib.media.facts import SOUND_LATE_S, VideoFacts

SHORT_S = 1.0
SHORT_SHARE = 0.02
"""Containers round lengths: only larger differences are reported."""


def problems(
    facts: VideoFacts, end_s: float, broken_pictures: int, broken_sound: int
) -> tuple[str, ...]:
    """Defects found by a whole pass over the frames, one line each; empty for a healthy file.

    Args:
        facts: Facts from its probe.
        end_s: End of the film.
        broken_pictures: Number of packets or frames that could not be decoded fully.
        broken_sound: Number of packets that could not be decoded.
    """
    found = []
    declared_s = facts.declared_s - facts.gaps_s
    if declared_s - end_s > max(SHORT_S, SHORT_SHARE * declared_s):
        found.append(
            f"the file says it lasts {declared_s:.1f} s but ends at {end_s:.1f} s: it is cut off"
        )
    if end_s > facts.pictures_end_s + SOUND_LATE_S:
        found.append(
            f"its pictures end at {facts.pictures_end_s:.1f} s and its sound at {end_s:.1f} s: the "
            "last picture stands meanwhile"
        )
    if facts.unread:
        found.append(f"places that cannot be read: {facts.unread} (what was there is missing)")
    if broken_pictures:
        found.append(f"damaged pictures: {broken_pictures}")
    if broken_sound:
        found.append(f"damaged sound: {broken_sound} (silence instead)")
    if facts.jumps:
        left_out = f", {facts.gaps_s:.1f} s that hold nothing left out" if facts.gaps_s else ""
        found.append(f"jumps in its time stamps: {facts.jumps} (joined there{left_out})")
    return tuple(found)
