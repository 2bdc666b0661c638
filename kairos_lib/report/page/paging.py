"""Assigns scenes to pages. Does not know what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stretch:
    """Consecutive scenes of one video: from `first` to before `end`, counted from 0."""

    video: str
    first: int
    end: int


@dataclass(frozen=True)
class Page:
    """One page of scenes; the first is the report itself."""

    number: int
    stretches: tuple[Stretch, ...]

    @property
    def file(self) -> str:
        """Its file's name, beside the other pages."""
        return "index.html" if self.number == 1 else f"scenes-{self.number}.html"


def paged(scenes: Mapping[str, int], at_most: int) -> list[Page]:
    """Assign scenes to pages.

    The first page has an even share of every video; the others continue from there, video by
    video.

    Args:
        scenes: Number of scenes of each video.
        at_most: Maximum per page, over all videos.
    """
    shares = dict(zip(scenes, share_out(list(scenes.values()), at_most), strict=True))
    pages = [Page(1, tuple(Stretch(video, 0, share) for video, share in shares.items()))]
    waiting: list[Stretch] = []
    room = at_most
    for video, first in shares.items():
        while first < scenes[video]:
            end = min(scenes[video], first + room)
            waiting.append(Stretch(video, first, end))
            room -= end - first
            first = end
            if room == 0:
                pages.append(Page(len(pages) + 1, tuple(waiting)))
                waiting, room = [], at_most
    if waiting:
        pages.append(Page(len(pages) + 1, tuple(waiting)))
    return pages


def share_out(wanted: list[int], available: int) -> list[int]:
    """Share out evenly: none gets more than it wants, and what it leaves goes to the others."""
    shares = [0] * len(wanted)
    left = available
    for waiting, index in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        shares[index] = min(wanted[index], left // (len(wanted) - waiting))
        left -= shares[index]
    return shares
