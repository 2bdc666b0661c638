"""A part of a video between two cuts."""

from __future__ import annotations

from kairos_lib.runs.record import Record


def scene_number(index: int) -> int:
    """A scene's number as shown to people, from 1; records and files count from 0."""
    return index + 1


class Scene(Record):
    """A part of a video between two cuts; scenes cover the video without gaps."""

    index: int
    """From 0; people see its `number`."""
    start_s: float
    end_s: float
    thumbnails: tuple[str, ...] = ()
    """File names in the run's `thumbnails/`: first frame, middle frame."""

    @property
    def number(self) -> int:
        """As shown to people, from 1."""
        return scene_number(self.index)

    @property
    def middle_s(self) -> float:
        """Half way between start and end."""
        return (self.start_s + self.end_s) / 2
