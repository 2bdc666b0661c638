"""Media files: opening one, choosing its video stream, reading what is stored of it.

Knows nothing of frames. A file is only ever the one file that was named.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
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
# Formats of broadcast streams, in which stamps may count anew at any time.
SPLICED = ("mpegts", "mpeg")
STILL_BRANDS = ("avif", "heic", "heix", "mif1")
"""What pictures call themselves that are stored as MP4 files are."""
MAX_SIDE_PX = 8192
MAX_FRAME_PIXELS = MAX_SIDE_PX**2
"""Twice 8K. A dozen frames are in memory at a time; at this size they are gigabytes."""
# Rates that somebody films at, from time lapse to high speed.
MIN_RATE, MAX_RATE = Fraction(1, 3600), 2000


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
            options={
                "protocol_whitelist": "file",
                "format_whitelist": CONTAINERS,
                # Also while libavformat looks for what is in the file.
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
    """Frames per second on average, or what the codec says where there are no stamps to tell."""
    rates = [stream.average_rate, stream.guessed_rate]
    if stream.container.duration is None:
        rates.reverse()  # Of a raw stream, the average is only what libavformat assumes.
    for rate in rates:
        if rate and MIN_RATE <= rate <= MAX_RATE:
            return float(rate)
    return 25.0  # One frame, or stamps that say nothing; 25 is what libavformat takes as well.


def packets(
    path: Path, container: av.container.InputContainer, stream: Any
) -> Iterator[av.Packet[Any]]:
    """What is stored of a stream, as far as it can be followed.

    Raises:
        KairosError: The disk, not the file, is what cannot be read.
    """
    import av

    try:
        yield from container.demux(stream)
    except av.error.InvalidDataError:
        return  # The rest of the file is cut off or garbage: the film ends here.
    except av.error.FFmpegError as error:
        raise KairosError(
            f"{str(path)!r} cannot be read to its end: {error.strerror}: copy it again"
        ) from error


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
