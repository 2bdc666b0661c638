"""Video files: what they are, and their frames in one forward pass.

Knows nothing of scenes or models. Time zero is the first frame's presentation time.
"""

from __future__ import annotations

import stat
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media import picture
from kairos_lib.records import VideoFacts

if TYPE_CHECKING:
    import av

# Containers of pictures and sound only. Play lists and scripts (HLS, concat) are left out: they
# open other files, and a video must be the one file that was hashed.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,nut,rm,gif,"
    "apng,ivf,obu,h264,hevc,m4v,mjpeg,yuv4mpegpipe,wtv,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,wav,mp3,aac,flac"
)
# A frame shown at t has a presentation time of t or just before. Times pass through floats, so
# "of t" means within a microsecond: far below any frame's duration.
TIME_SLACK_S = 1e-6
# A seek throws away what the decoder has in flight, about a dozen frames.
SEEK_COST_FRAMES = 24


def check_file(path: Path, shown: str = "") -> None:
    """See that a path is a file with something in it.

    Raises:
        KairosError: It is not; the line says where to put the video.
    """
    shown = shown or repr(str(path))
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise KairosError(f"the name {str(path)!r} is not valid UTF-8: rename the file") from None
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise KairosError(f"there is no video at {shown}: put the file there") from None
    except (OSError, ValueError) as error:
        raise KairosError(f"{shown} cannot be read: {error}") from error
    if stat.S_ISDIR(mode):
        raise KairosError(f"{shown} is a folder: name one video file")
    if not stat.S_ISREG(mode):
        raise KairosError(f"{shown} is not a regular file: save the video to disk first")
    if path.stat().st_size == 0:
        raise KairosError(f"{shown} is empty: copy the video again")


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a media file for reading, confined to that one file.

    Raises:
        KairosError: It is not there, or not a media file.
    """
    import av

    check_file(path)
    try:
        container = av.open(
            # The prefix keeps a name such as `concat:a` from being read as a protocol.
            f"file:{path.absolute()}",
            options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
        )
    except (av.error.FFmpegError, UnicodeError) as error:
        raise KairosError(
            f"{str(path)!r} is not a video that can be read: convert it to MP4, or copy it again"
        ) from error
    with container:
        yield container


def probe(path: Path, sha256: str) -> VideoFacts:
    """Read what a container says of its video, without decoding it.

    Raises:
        KairosError: There is no video in it.
    """
    with open_container(path) as container:
        stream = _video_stream(container, path)
        frames = next(_Decoder(path, container, stream).frames(), None)
        if frames is None:
            raise KairosError(f"{str(path)!r} has no frame that can be decoded: copy it again")
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        else:
            duration_s = (container.duration or 0) / 1e6
        return VideoFacts(
            sha256=sha256,
            size_bytes=path.stat().st_size,
            duration_s=duration_s,
            width=stream.width,
            height=stream.height,
            frames_per_second=float(stream.average_rate or stream.guessed_rate or 25),
            codec=stream.codec_context.name,
            rotation_deg=frames.picture.rotation,
            audio_streams=len(container.streams.audio),
        )


def _video_stream(container: av.container.InputContainer, path: Path) -> Any:
    streams = container.streams.video
    if not streams:
        raise KairosError(f"{str(path)!r} has no video stream: name a file with pictures in it")
    stream = streams[0]
    stream.thread_type = "AUTO"
    return stream


class Frame:
    """One decoded frame, scaled when it is asked for and once for each size."""

    def __init__(
        self,
        decoded: av.VideoFrame,
        pts: int,
        time_s: float,
        index: int,
        time_base: Fraction,
        pixel_aspect: Fraction | None = None,
    ) -> None:
        self.picture = decoded
        self.pixel_aspect = pixel_aspect
        self.pts = pts
        """Presentation time in units of `time_base`, from the first frame's."""
        self.time_base = time_base
        self.time_s = time_s
        self.index = index
        self._images: dict[tuple[int, int, str, str], np.ndarray] = {}
        self._scaling = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """About what the decoded pixels take: a byte and a half each in most film."""
        return self.picture.width * self.picture.height * 3 // 2

    def image(
        self,
        longest_px: int | None = None,
        width_px: int | None = None,
        colour: str = "rgb24",
        interpolation: str = "BICUBIC",
    ) -> np.ndarray:
        """The frame upright as an array of shape (height, width, 3) and type uint8.

        Args:
            longest_px: Scale so that the longer side has this length; never enlarges.
            width_px: Scale to this width; never enlarges.
            colour: Order of the channels: `rgb24` or `bgr24`.
            interpolation: libswscale's name of a method. `AREA`, the mean of the pixels that fall
                together, costs a third of `BICUBIC` and is as good for looking for cuts.
        """
        width, height = picture.display_size(self.picture, self.pixel_aspect)
        limit = longest_px / max(width, height) if longest_px else 1.0
        if width_px:
            limit = min(limit, width_px / width)
        scale = min(1.0, limit)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        target = (*size, colour, interpolation)
        with self._scaling:
            if target not in self._images:
                self._images[target] = picture.upright(self.picture, *target)
            return self._images[target]


class _Decoder:
    """Decodes one stream; frames come in presentation order with their times."""

    def __init__(self, path: Path, container: av.container.InputContainer, stream: Any) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._base: Fraction = stream.time_base
        self._zero_pts: int | None = None

    def frames(self) -> Iterator[Frame]:
        """Frames from wherever the container stands; broken packets are passed over."""
        import av

        index = 0
        previous = -1
        ticks, per = self._base.numerator, self._base.denominator
        for packet in self._container.demux(self._stream):
            try:
                pictures = packet.decode()
            except av.error.InvalidDataError:
                continue  # As every player does: one broken packet is not the end of a film.
            for decoded in pictures:
                if decoded.pts is None:
                    continue
                if self._zero_pts is None:
                    self._zero_pts = decoded.pts
                pts = decoded.pts - self._zero_pts
                if pts <= previous and index:
                    continue  # Time never goes back within a pass.
                previous = pts
                aspect = self._stream.sample_aspect_ratio
                yield Frame(decoded, pts, pts * ticks / per, index, self._base, aspect)
                index += 1

    def at(self, times_s: Sequence[float]) -> Iterator[tuple[float, Frame]]:
        """For each time, in ascending order, the frame that is on screen then.

        A time before the first frame gives the first, one after the last gives the last.
        """
        stream = self.frames()
        shown = next(stream, None)
        if shown is None:
            raise KairosError(f"{str(self._path)!r} has no frame that can be decoded")
        following = next(stream, None)
        keyframes_s = self._keyframes_s()
        rate = float(self._stream.average_rate or 25)
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
        """Times of the keyframes, where the container has an index of them."""
        zero = self._zero_pts or 0
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
        zero = self._zero_pts or 0
        for key_s in reversed([0.0, *keyframes_s]):
            self._container.seek(zero + round(key_s / self._base), stream=self._stream)
            stream = self.frames()
            first = next(stream, None)
            if first is not None and first.time_s <= limit_s:
                return stream, first
        raise KairosError(f"{str(self._path)!r} has a broken index: convert it to MP4")


class VideoFile:
    """An open video; each pass over its frames is a fresh one from the start."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def frames(self) -> Iterator[Frame]:
        """All frames, in presentation order."""
        with open_container(self.path) as container:
            yield from _Decoder(self.path, container, _video_stream(container, self.path)).frames()

    def at(self, times_s: Sequence[float]) -> Iterator[tuple[float, Frame]]:
        """The frames on screen at ascending times, seeking only where that is cheaper."""
        with open_container(self.path) as container:
            yield from _Decoder(self.path, container, _video_stream(container, self.path)).at(
                times_s
            )
