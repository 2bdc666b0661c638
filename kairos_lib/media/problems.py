"""What is wrong with a video file that could be decoded all the same, in words for its reader."""

from __future__ import annotations

from kairos_lib.records import VideoFacts

SHORT_S = 1.0
SHORT_SHARE = 0.02
"""Containers round lengths, and sound ends a little after the pictures: only more is told."""


def problems(facts: VideoFacts, end_s: float, broken: int, jumps: int) -> tuple[str, ...]:
    """What a whole pass over the frames has shown, a line each; nothing of a healthy file.

    Args:
        facts: What the container says.
        end_s: Where the last frame ends.
        broken: Packets or frames that could not be decoded, or not wholly.
        jumps: How often time stamps began anew or made no sense.
    """
    found = []
    short_s = facts.duration_s - end_s
    if short_s > max(SHORT_S, SHORT_SHARE * facts.duration_s):
        found.append(
            f"the file says it lasts {facts.duration_s:.1f} s but its pictures end at "
            f"{end_s:.1f} s: it is cut off, or only its sound goes on"
        )
    if broken:
        found.append(f"damaged pictures: {broken}")
    if jumps:
        found.append(f"jumps in its time stamps: {jumps} (the pictures are joined there)")
    return tuple(found)
