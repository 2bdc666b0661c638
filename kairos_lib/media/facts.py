"""What a video file is."""

from __future__ import annotations

from kairos_lib.runs.record import Record

SOUND_LATE_S = 1.0
"""Sound may end this much after the pictures without the film being longer for it."""


class Joint(Record):
    """Where the time stamps of one stream must be changed, to be on one clock with all others."""

    stream: int
    """Its number in the file."""
    packet: int
    """The first of its packets to be changed, from 0."""
    shift: int | None
    """What to add, in the stream's own ticks; none where stamps make no sense."""


class VideoFacts(Record):
    """What a video file is, read from its container."""

    sha256: str
    size_bytes: int
    duration_s: float
    """Of what is stored, pictures and sound; once it has been decoded, of that."""
    width: int
    height: int
    """Of a frame as stored, before it is turned and its pixels are made square."""
    frames_per_second: float
    codec: str
    rotation_deg: int = 0
    """Counter-clockwise, to be upright."""
    sample_aspect_ratio: float = 1.0
    """Width of a pixel over its height."""
    audio_streams: int = 0
    """Those that can be decoded."""
    declared_s: float = 0.0
    """The container's word on the length; 0 where it has none."""
    zero_s: float = 0.0
    """Stamp of the first frame that can be decoded, which is time 0."""
    pictures_end_s: float = 0.0
    """Where the last stored picture ends."""
    sound_end_s: float = 0.0
    """Where the sound that ends last does; 0 without any."""
    joints: tuple[Joint, ...] = ()
    jumps: int = 0
    """How often time stamps began anew or made no sense."""
    gaps_s: float = 0.0
    """Time that the stamps leap over and nothing is stored for: left out."""
    unread: int = 0
    """Places in the file that could not be read and were passed over."""
    problems: tuple[str, ...] = ()
    """What was found wrong with the file while it was decoded, a line each."""

    def end_s(self, pictures_end_s: float) -> float:
        """Where the film ends: with its pictures, or with sound that goes on after them.

        The last picture stands meanwhile. A sound's last block often ends a moment late; that
        makes no film longer.
        """
        goes_on = self.sound_end_s > pictures_end_s + SOUND_LATE_S
        return self.sound_end_s if goes_on else pictures_end_s

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown: upright, with square pixels."""
        width, height = max(1, round(self.width * self.sample_aspect_ratio)), self.height
        return (height, width) if self.rotation_deg % 180 else (width, height)
