"""Times of decoded frames, from 0 and always rising.

Of containers it knows only its arguments. Stamps that restart or jump have been corrected before
(`clock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

LONGEST_FRAME_S = 10.0
"""A frame's own statement of its length is trusted up to this."""


class Timeline:
    """The clock of one pass over a stream.

    Args:
        time_base: Seconds per tick of a stamp.
        frame_s: Length of a frame that does not state one.
        by_decoding: Use decoding stamps: the container has no presentation stamps (AVI), and
            those that libavformat provides instead are in the wrong order.
    """

    def __init__(self, time_base: Fraction, frame_s: float, by_decoding: bool = False) -> None:
        self.zero: int | None = None
        """Stamp of the first frame, which is time 0."""
        self._frame = max(1, round(frame_s / time_base))
        self._longest = round(LONGEST_FRAME_S / time_base)
        self._by_decoding = by_decoding

    def timed(self, pictures: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, int]]:
        """Each frame with its time in units of the time base; duplicates are left out."""
        end = 0
        last = -1
        for picture in pictures:
            stamp = picture.dts if self._by_decoding else picture.pts
            if self.zero is None and stamp is not None:
                self.zero = stamp - end
            time = end if stamp is None or self.zero is None else stamp - self.zero
            if time <= last:
                continue
            yield picture, time
            last, end = time, time + self._length(picture)

    def _length(self, picture: av.VideoFrame) -> int:
        """Length of a frame if there is no next one."""
        return picture.duration if 0 < picture.duration <= self._longest else self._frame
