"""A picture of each event, at its moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kairos_lib.events.records import SpottedEvent
from kairos_lib.media.facts import Joint
from kairos_lib.vlm.sampling import draw

THUMBNAILS = "thumbnails"
LONGEST_PX = 224
AT_MOST = 300
"""Of one video: the most confident ones."""


def pictured(
    events: Sequence[SpottedEvent], video: Path, folder: Path, joints: Sequence[Joint] | None
) -> list[SpottedEvent]:
    """Events with their pictures, which are written to a folder.

    Args:
        events: In order of time.
        video: The file.
        folder: Where pictures go; what lies there is overwritten.
        joints: What a probe says of the file.
    """
    from PIL import Image

    chosen = sorted(range(len(events)), key=lambda place: -events[place].confidence)[:AT_MOST]
    places = sorted(chosen)
    shown = list(events)
    if places:
        folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(video, [[events[place].time_s] for place in places], LONGEST_PX, joints)
    for place, frames in zip(places, drawn, strict=True):
        name = f"{place:04d}.jpg"
        Image.fromarray(frames.images[0]).save(folder / name, quality=82)
        shown[place] = events[place].model_copy(update={"thumbnail": name})
    return shown
