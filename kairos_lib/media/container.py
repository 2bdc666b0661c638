"""Media files: opens one, chooses its video stream, reads its packets.

Knows nothing of frames. A file is only ever the one file that was named.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos_lib.errors import KairosError

if TYPE_CHECKING:
    import av

# Containers of pictures and sound only. Play lists and scripts (HLS, concat) are left out: they
# open other files, and a video must be the one file that was hashed.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,nut,rm,gif,"
    "apng,ivf,obu,h264,hevc,m4v,mjpeg,yuv4mpegpipe,wtv,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,wav,mp3,aac,flac"
)
# Formats that list all packets; others list key frames, or nothing.
COMPLETE_INDEX = "mov,mp4,m4a,3gp,3g2,mj2"
STILL_BRANDS = ("avif", "heic", "heix", "mif1")
"""Brands of still pictures that are stored like MP4 files."""
MAX_SIDE_PX = 8192
MAX_FRAME_PIXELS = MAX_SIDE_PX**2
"""Twice 8K. About a dozen frames are in memory at once; at this size they take gigabytes."""
MOST_UNREAD = 10_000
"""Consecutive places that may be skipped before a file is given up: minutes of sound."""
# Plausible frame rates, from time lapse to high speed.
MIN_RATE, MAX_RATE = Fraction(1, 3600), 2000


def check_file(path: Path, shown: str = "") -> None:
    """Check that a path is a file that is not empty.

    Raises:
        KairosError: It is not; the message says where to put the video.
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
            options={
                "protocol_whitelist": "file",
                "format_whitelist": CONTAINERS,
                # Also while libavformat probes the file.
                "max_pixels": str(MAX_FRAME_PIXELS),
            },
        )
    except (av.error.FFmpegError, UnicodeError) as error:
        raise KairosError(
            f"{str(path)!r} is not a video that can be read: convert it to MP4, or copy it again"
        ) from error
    with container:
        yield container


def frames_per_second(stream: Any) -> float:
    """Average frames per second, or the codec's value if there are no time stamps."""
    rates = [stream.average_rate, stream.guessed_rate]
    if stream.container.duration is None:
        rates.reverse()  # For a raw stream, the average is only an assumption of libavformat.
    for rate in rates:
        if rate and MIN_RATE <= rate <= MAX_RATE:
            return float(rate)
    return 25.0  # One frame, or useless stamps; 25 is libavformat's default too.


class Packets:
    """Packets of some streams, in the order of the file, as far as they can be read.

    Damage is skipped. Other streams are not read at all, so that damage in them, such as a wrong
    position in the index, does not matter.
    """

    def __init__(
        self, path: Path, container: av.container.InputContainer, streams: Sequence[Any]
    ) -> None:
        from av.stream import Discard

        self.unread = 0
        """Number of unreadable places."""
        self._path = path
        self._container = container
        self._streams = streams
        self._newest: dict[int, int] = {}
        wanted = {stream.index for stream in streams}
        for stream in container.streams:
            if stream.index not in wanted:
                stream.discard = Discard.all

    def stored(self) -> Iterator[av.Packet[Any]]:
        """Each packet.

        Raises:
            KairosError: The disk, not the file, cannot be read.
        """
        import av

        count = failed = 0
        while True:
            try:
                for packet in self._container.demux(list(self._streams)):
                    if not packet.size:
                        continue  # An empty packet signals the end to a decoder; more may follow.
                    count += 1
                    if packet.dts is not None:
                        self._newest[packet.stream_index] = packet.dts
                    self.unread, failed = self.unread + failed, 0
                    yield packet
                ended = True
            except av.error.FFmpegError as error:
                if isinstance(error, OSError):
                    raise KairosError(
                        f"{str(self._path)!r} cannot be read to its end: {error.strerror}: "
                        "copy it again"
                    ) from error
                ended = False
            # A position beyond the file's end reads as the end, which is accepted if the index
            # promises no more.
            failed += 1
            seen = count + self.unread + failed
            if failed > MOST_UNREAD or (ended and self._is_all(seen)):
                self.unread += failed - 1  # The last of them is the end.
                if self._container.format.name == COMPLETE_INDEX:
                    # What could not be read when the file was opened is missing silently.
                    self.unread = max(self.unread, self._promised() - count)
                return

    def _promised(self) -> int:
        return sum(len(stream.index_entries) for stream in self._streams)

    def _is_all(self, seen: int) -> bool:
        """Whether the index lists nothing beyond what has been read."""
        indices = [(stream.index, stream.index_entries) for stream in self._streams]
        return seen > self._promised() or all(
            not entries or self._newest.get(index, -math.inf) >= entries[-1].timestamp
            for index, entries in indices
        )


def audio_streams(container: av.container.InputContainer) -> list[Any]:
    """The audio streams that can be decoded."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def video_stream(path: Path, container: av.container.InputContainer) -> Any:
    """The stream that a player would show: the default one, or else the first.

    Raises:
        KairosError: There is none, or none that can be decoded here.
    """
    from av.stream import Disposition

    name = repr(str(path))
    stills = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & stills]
    brand = container.metadata.get("major_brand", "").strip()
    if container.format.name.endswith("_pipe") or brand in STILL_BRANDS:
        raise KairosError(f"{name} is a picture, not a video: name a file with moving pictures")
    if not streams:
        cover = " (but a cover picture)" if container.streams.video else ""
        raise KairosError(f"{name} has no video stream{cover}: name a file with pictures in it")
    stream: Any = min(streams, key=lambda s: not s.disposition & Disposition.default)
    if stream.codec_context is None:
        raise KairosError(
            f"{name} is in a video codec that is not known here, or its head is damaged: "
            "convert it to H.264, or copy it again"
        )
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    stream.thread_type = "AUTO"
    return stream
