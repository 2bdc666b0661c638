"""Times of decoded frames, from 0 and always rising, whatever the file's stamps do.

Knows nothing of containers but what it is told: how stamps are counted and what to expect of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

JUMP_BACK_S = 1.0
"""Stamps that go back further than this have begun to count anew, as where two recordings were
joined: what follows goes on from where the film was. Less is a double or disorder, which players
drop."""
LONG_GAP_S = 10.0
"""A gap longer than this between two frames is looked at: a screen recording can stand still for
an hour, but a broadcast cannot, and one broken stamp among good ones is no gap at all."""


class Timeline:
    """The clock of one pass over a stream.

    Args:
        time_base: Seconds that a stamp counts.
        frame_s: How long a frame lasts that does not say.
        spliced: Stamps of this kind of container count anew in mid-stream (broadcast streams),
            so a long gap is a joint and not a pause.
        by_decoding: Take decoding stamps: the container has no presentation stamps (AVI), and
            what libavformat gives in their place is in the wrong order.
    """

    def __init__(
        self, time_base: Fraction, frame_s: float, spliced: bool = False, by_decoding: bool = False
    ) -> None:
        self.zero: int | None = None
        """Stamp of the first frame, which is time 0."""
        self.jumps = 0
        """How often stamps began anew or made no sense."""
        self._frame = max(1, round(frame_s / time_base))
        self._back = round(JUMP_BACK_S / time_base)
        self._gap = round(LONG_GAP_S / time_base)
        self._spliced = spliced
        self._by_decoding = by_decoding

    def timed(self, pictures: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, int]]:
        """Each frame with its time in units of the time base; what comes twice is left out."""
        shift = 0
        last = -1
        lasts = 0
        doubtful: tuple[av.VideoFrame, int] | None = None
        for picture in pictures:
            stamp = picture.dts if self._by_decoding else picture.pts
            if self.zero is None and stamp is not None:
                self.zero = stamp - (last + lasts if last >= 0 else 0)
            if stamp is None or self.zero is None:
                time = last + lasts if last >= 0 else 0
            else:
                time = stamp - self.zero + shift
            if doubtful is not None:
                held, held_time = doubtful
                doubtful = None
                if last < time < held_time - self._back:
                    # The stamps are back where they were: the one between was broken.
                    self.jumps += 1
                    held_time = min(last + lasts, time - 1)
                if held_time > last:
                    yield held, held_time
                    last, lasts = held_time, self._length(held)
            if last >= 0:
                if time <= last - self._back or (self._spliced and time > last + self._gap):
                    self.jumps += 1
                    shift += last + lasts - time
                    time = last + lasts
                elif time > last + self._gap:
                    doubtful = picture, time
                    continue
                elif time <= last:
                    continue
            yield picture, time
            last, lasts = time, self._length(picture)
        if doubtful is not None:
            yield doubtful

    def _length(self, picture: av.VideoFrame) -> int:
        """How long a frame lasts, where there is no next one to tell."""
        return picture.duration if 0 < picture.duration <= self._gap else self._frame
