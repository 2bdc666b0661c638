"""Facts about a video file."""

from __future__ import annotations

from kairos_lib.runs.record import Record

SOUND_LATE_S = 1.0
"""Sound may end this much after the pictures without making the film longer."""


class Joint(Record):
    """A position where the time stamps of one stream change, to share one clock with all others."""

    stream: int
    """Its number in the file."""
    packet: int
    """The first of its packets to be changed, from 0."""
    shift: int | None
    """Offset to add, in the stream's own ticks; None if stamps make no sense."""


class VideoFacts(Record):
    """Facts about a video file, read from its container."""

    sha256: str
    size_bytes: int
    duration_s: float
    """Length of the stored pictures and sound; once it has been decoded, of the decoded film."""
    width: int
    height: int
    """Of a frame as stored, before it is rotated and its pixels are made square."""
    frames_per_second: float
    codec: str
    rotation_deg: int = 0
    """Counter-clockwise rotation that makes it upright."""
    sample_aspect_ratio: float = 1.0
    """Width of a pixel divided by its height."""
    audio_streams: int = 0
    """Those that can be decoded."""
    declared_s: float = 0.0
    """The length stated by the container; 0 if there is none."""
    zero_s: float = 0.0
    """Stamp of the first frame that can be decoded, which is time 0."""
    pictures_end_s: float = 0.0
    """Where the last stored picture ends."""
    sound_end_s: float = 0.0
    """End of the sound that ends last; 0 without any."""
    joints: tuple[Joint, ...] = ()
    jumps: int = 0
    """How often time stamps restarted or made no sense."""
    gaps_s: float = 0.0
    """Time that the stamps jump over without anything stored; left out."""
    unread: int = 0
    """Number of unreadable places that were skipped."""
    problems: tuple[str, ...] = ()
    """Defects found while the file was decoded, one line each."""

    def end_s(self, pictures_end_s: float) -> float:
        """End of the film: of its pictures, or of sound that continues after them.

        The last picture is shown until then. A sound's last block often ends a moment late, which
        does not make the film longer.
        """
        goes_on = self.sound_end_s > pictures_end_s + SOUND_LATE_S
        return self.sound_end_s if goes_on else pictures_end_s

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown: upright, with square pixels."""
        width, height = max(1, round(self.width * self.sample_aspect_ratio)), self.height
        return (height, width) if self.rotation_deg % 180 else (width, height)
