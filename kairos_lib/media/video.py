"""Video files: facts about them, and their frames in one forward pass.

Knows nothing of scenes or models. Time zero is the first frame's presentation time.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media import picture
from kairos_lib.media.clock import on_one_clock, scan
from kairos_lib.media.container import (
    COMPLETE_INDEX,
    MAX_SIDE_PX,
    Packets,
    audio_streams,
    frames_per_second,
    open_container,
    video_stream,
)
from kairos_lib.media.facts import Joint, VideoFacts
from kairos_lib.media.timeline import Timeline

if TYPE_CHECKING:
    import av

# Formats whose index leads to the exact frame that a pass from the start finds at that time.
# Others are read from the start: slower, never wrong.
MATROSKA = "matroska,webm"
SEEKABLE = (COMPLETE_INDEX, MATROSKA)
PROBE_VERSION = 3
"""Raised whenever `probe` gives other facts about the same file: facts are cached by it."""
# A frame shown at t has a presentation time of t or just before. Times pass through floats, so
# "of t" means within a microsecond: far below any frame's duration.
TIME_SLACK_S = 1e-6
# A seek discards what the decoder has in progress, about a dozen frames.
SEEK_COST_FRAMES = 24


def probe(path: Path, sha256: str) -> VideoFacts:
    """Read what is stored of a video, and decode its first frame.

    Raises:
        KairosError: It contains no video.
    """
    with open_container(path) as container:
        stream = video_stream(path, container)
        found = scan(path)
        decoder = _Decoder(path, container, stream, found.joints)
        first = next(decoder.frames(), None)
        if first is None:
            # libavcodec does not report a size that is above its limit.
            unknown = "" if stream.codec_context.width else (
                f", or scale it down: a frame may have {MAX_SIDE_PX}×{MAX_SIDE_PX} pixels at most"
            )  # fmt: skip
            raise KairosError(
                f"{str(path)!r} has no frame that can be decoded: copy it again{unknown}"
            )
        zero_s = decoder.zero_s()
        pictures_end_s = max(0.0, found.pictures_end_s - zero_s)
        facts = VideoFacts(
            sha256=sha256,
            size_bytes=path.stat().st_size,
            duration_s=pictures_end_s,
            width=first.picture.width,
            height=first.picture.height,
            frames_per_second=frames_per_second(stream),
            codec=stream.codec_context.codec.canonical_name,
            rotation_deg=picture.rotation_deg(first.picture),
            sample_aspect_ratio=float(picture.sane_aspect(stream.sample_aspect_ratio)),
            audio_streams=len(audio_streams(container)),
            declared_s=_declared_s(container, stream, zero_s),
            zero_s=zero_s,
            pictures_end_s=pictures_end_s,
            sound_end_s=max(0.0, found.sound_end_s - zero_s),
            joints=found.joints,
            jumps=found.jumps,
            gaps_s=found.gaps_s,
            unread=found.unread,
        )
    return facts.model_copy(update={"duration_s": facts.end_s(pictures_end_s)})


def _declared_s(container: av.container.InputContainer, stream: Any, zero_s: float) -> float:
    """The length stated by the container; 0 if there is none."""
    if stream.duration is not None:
        return max(0.0, float(stream.duration * stream.time_base))
    # These two count from 0, wherever their first frame is.
    before_s = zero_s if container.format.name in (MATROSKA, "flv") else 0.0
    return max(0.0, (container.duration or 0) / 1e6 - before_s)


class Frame:
    """One decoded frame, scaled on demand and once for each size."""

    def __init__(
        self,
        decoded: av.VideoFrame,
        pts: int,
        time_s: float,
        index: int,
        time_base: Fraction,
        size: tuple[int, int],
    ) -> None:
        self.picture = decoded
        self.size = size
        """Width and height of the video as shown: those of its first frame."""
        self.pts = pts
        """Presentation time in units of `time_base`, from the first frame's."""
        self.time_base = time_base
        self.time_s = time_s
        self.index = index
        self._images: dict[tuple[int, int, str, str], np.ndarray] = {}
        self._scaling = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Approximate size of the decoded pixels: 1.5 bytes each in most film."""
        return self.picture.width * self.picture.height * 3 // 2

    def image(
        self,
        longest_px: int | None = None,
        colour: str = "rgb24",
        interpolation: str = "BICUBIC",
    ) -> np.ndarray:
        """The frame upright: shape (height, width, 3), or (height, width) in grey, of type uint8.

        Args:
            longest_px: Scale so that the longer side has this length; never enlarges.
            colour: Order of the channels, `rgb24` or `bgr24`, or `gray`: brightness alone.
            interpolation: libswscale's name of a method. `AREA`, the mean of the pixels that fall
                together, costs a third of `BICUBIC` and is as good for looking for cuts.
        """
        target = (*picture.scaled_size(*self.size, longest_px), colour, interpolation)
        with self._scaling:
            if target not in self._images:
                self._images[target] = picture.upright(self.picture, *target)
            return self._images[target]

    def stored_grey(self) -> np.ndarray:
        """The brightness of the pixels as stored, of shape (height, width) and type uint8.

        Neither scaled nor turned: for measures of what the camera and the codec left in them.
        """
        with self._scaling:
            return picture.stored_grey(self.picture)


class _Decoder:
    """Decodes one stream; frames come in presentation order with their times."""

    def __init__(
        self,
        path: Path,
        container: av.container.InputContainer,
        stream: Any,
        joints: Sequence[Joint],
    ) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._joints = [joint for joint in joints if joint.stream == stream.index]
        self._base: Fraction = stream.time_base
        self._timeline = Timeline(
            stream.time_base,
            frame_s=1 / frames_per_second(stream),
            by_decoding=container.format.name == "avi",
        )
        self._size: tuple[int, int] | None = None
        self.broken = 0
        """Number of packets that could not be decoded fully."""

    def frames(self) -> Iterator[Frame]:
        """Frames from the container's present position; broken packets are skipped."""
        ticks, per = self._base.numerator, self._base.denominator
        timed = self._timeline.timed(self._pictures())
        for index, (decoded, time) in enumerate(timed):
            if self._size is None:
                aspect = self._stream.sample_aspect_ratio
                self._size = picture.display_size(decoded, aspect)
            yield Frame(decoded, time, time * ticks / per, index, self._base, self._size)

    def zero_s(self) -> float:
        """The first frame's own stamp, once it has been decoded."""
        return float((self._timeline.zero or 0) * self._base)

    def _pictures(self) -> Iterator[av.VideoFrame]:
        packets = Packets(self._path, self._container, [self._stream])
        for packet in on_one_clock(packets.stored(), self._joints):
            yield from self._decoded(packet)
        yield from self._decoded(None)

    def _decoded(self, packet: av.Packet[Any] | None) -> list[av.VideoFrame]:
        """The frames that a packet completes; without a packet, those still in the decoder."""
        import av

        try:
            pictures: list[av.VideoFrame] = self._stream.decode(packet)
        except av.error.FFmpegError:
            self.broken += 1
            return []  # As every player does: one broken packet is not the end of a film.
        self.broken += sum(decoded.is_corrupt for decoded in pictures)
        return pictures

    def at(self, times_s: Sequence[float]) -> Iterator[tuple[float, Frame]]:
        """For each time, in ascending order, the frame that is on screen then.

        A time before the first frame gives the first, one after the last gives the last.
        """
        import av

        if self._container.format.name == MATROSKA:
            # Its index, often at the file's end, is read by the first seek and not before.
            with suppress(av.error.FFmpegError):
                self._container.seek(0)
        stream = self.frames()
        shown = next(stream, None)
        if shown is None:
            raise KairosError(f"{str(self._path)!r} has no frame that can be decoded")
        following = next(stream, None)
        keyframes_s = self._keyframes_s()
        rate = frames_per_second(self._stream)
        for wanted_s in times_s:
            limit_s = wanted_s + TIME_SLACK_S
            ready_s = keyframes_s[: bisect_right(keyframes_s, limit_s)]
            if (
                following is not None
                and ready_s
                and ready_s[-1] - following.time_s > SEEK_COST_FRAMES / rate
            ):
                stream, shown = self._seek(ready_s, limit_s)
                following = next(stream, None)
            while following is not None and following.time_s <= limit_s:
                shown, following = following, next(stream, None)
            yield wanted_s, shown

    def _keyframes_s(self) -> list[float]:
        """Times of the keyframes, if the container has a reliable index."""
        if self._container.format.name not in SEEKABLE or self._joints:
            return []
        zero = self._timeline.zero or 0
        return sorted(
            float((entry.timestamp - zero) * self._base)
            for entry in self._stream.index_entries
            if entry.is_keyframe
        )

    def _seek(self, keyframes_s: list[float], limit_s: float) -> tuple[Iterator[Frame], Frame]:
        """Go to the last keyframe that is shown by a time.

        An index may hold decoding times, which run ahead of presentation times, so the keyframe
        found can still be too late; then the one before it is taken.
        """
        zero = self._timeline.zero or 0
        for key_s in reversed([0.0, *keyframes_s]):
            self._container.seek(zero + round(key_s / self._base), stream=self._stream)
            stream = self.frames()
            first = next(stream, None)
            if first is not None and first.time_s <= limit_s:
                return stream, first
        raise KairosError(f"{str(self._path)!r} has a broken index: convert it to MP4")


class VideoFile:
    """An open video; each pass over its frames is a fresh one from the start.

    Args:
        path: The file.
        joints: From `probe`; the file is scanned again if left out.
    """

    def __init__(self, path: Path, joints: Sequence[Joint] | None = None) -> None:
        self.path = path
        self.broken = 0
        """Of the last whole pass: number of packets that could not be decoded fully."""
        self._joints = joints

    def frames(self) -> Iterator[Frame]:
        """All frames, in presentation order."""
        with open_container(self.path) as container:
            decoder = self._decoder(container)
            yield from decoder.frames()
            self.broken = decoder.broken

    def at(self, times_s: Sequence[float]) -> Iterator[tuple[float, Frame]]:
        """The frames on screen at ascending times, seeking only if that is cheaper."""
        with open_container(self.path) as container:
            yield from self._decoder(container).at(times_s)

    def _decoder(self, container: av.container.InputContainer) -> _Decoder:
        stream = video_stream(self.path, container)
        if self._joints is None:
            self._joints = scan(self.path).joints
        return _Decoder(self.path, container, stream, self._joints)
