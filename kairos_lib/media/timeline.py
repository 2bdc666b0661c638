"""Times of decoded frames, from 0 and always rising.

Knows nothing of containers but what it is told. Stamps that count anew or leap have been put right
before (`clock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

LONGEST_FRAME_S = 10.0
"""What a frame says of its own length is believed up to this."""


class Timeline:
    """The clock of one pass over a stream.

    Args:
        time_base: Seconds that a stamp counts.
        frame_s: How long a frame lasts that does not say.
        by_decoding: Take decoding stamps: the container has no presentation stamps (AVI), and
            what libavformat gives in their place is in the wrong order.
    """

    def __init__(self, time_base: Fraction, frame_s: float, by_decoding: bool = False) -> None:
        self.zero: int | None = None
        """Stamp of the first frame, which is time 0."""
        self._frame = max(1, round(frame_s / time_base))
        self._longest = round(LONGEST_FRAME_S / time_base)
        self._by_decoding = by_decoding

    def timed(self, pictures: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, int]]:
        """Each frame with its time in units of the time base; what comes twice is left out."""
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
        """How long a frame lasts, where there is no next one to tell."""
        return picture.duration if 0 < picture.duration <= self._longest else self._frame
