"""Films of any codec and container, each frame of which can be told from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from helpers.clips import COLOURS

FPS = 10
SIZE = (96, 64)
QUIET = {
    # Without B-frames: with them, x265 now and then gives a lone frame a stamp no muxer takes.
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "log-level=none:pools=none:frame-threads=1:bframes=0",
    },
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libx264": {"preset": "ultrafast"},
}


@dataclass
class Sound:
    """A tone."""

    seconds: float = 2.0
    start_s: float = 0.0
    hz: float = 440.0
    rate_hz: int = 16_000
    layout: str = "mono"
    codec: str = "aac"
    language: str = ""
    default: bool = False


@dataclass
class Film:
    """What to write: a cut after every ten frames, and one bar that moves with the number."""

    frames: int = 20
    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    fps: int = FPS
    options: dict[str, str] = field(default_factory=dict)
    container: str | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    ticks: Sequence[int] | None = None
    """Presentation time of each frame in thousandths of a second; by itself at `fps`."""
    sounds: Sequence[Sound] = ()
    pixel_aspect: Fraction | None = None
    rotation_deg: int = 0
    mirrored: bool = False
    matrix: int | None = None
    """Of ISO/IEC 23091-2: 1 is BT.709, 5 and 6 are BT.601."""
    full_range: bool = False
    tagged: bool = True
    """Whether matrix and range are told, where they are not the usual ones."""
    plain: tuple[int, int, int] | None = None
    """All frames of this one colour, without a bar."""

    def image(self, number: int) -> np.ndarray:
        """One frame as it is given to the encoder."""
        width, height = self.size
        colour = self.plain or COLOURS[number // 10 % len(COLOURS)]
        image = np.full((height, width, 3), colour, dtype=np.uint8)
        if not self.plain:
            at = (number % 10) * width // 10
            image[: height // 2, at : at + width // 10] = 255 - image[0, 0]
        return image

    def write(self, path: Path) -> Path:
        """Encode it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
        with av.open(
            f"file:{path}", "w", format=self.container,
            container_options={**options, **self.container_options},
        ) as container:  # fmt: skip
            stream = self.stream(container)
            tracks = [_track(container, sound) for sound in self.sounds]
            for sound, track in zip(self.sounds, tracks, strict=True):
                for frame in tone(sound):
                    container.mux(track.encode(frame))
                container.mux(track.encode(None))
            self.encode(container, stream)
        return path

    def encode(self, container, stream) -> None:
        """All frames, into a stream of `stream`."""
        for number in range(self.frames):
            container.mux(stream.encode(self._frame(number)))
        container.mux(stream.encode(None))

    def stream(self, container):
        """A stream for the frames."""
        options = {**QUIET.get(self.codec, {}), **self.options}
        stream = container.add_stream(self.codec, rate=self.fps, options=options)
        stream.width, stream.height = self.size
        stream.pix_fmt = self.pixels
        if self.ticks:
            stream.codec_context.time_base = Fraction(1, 1000)
        if self.pixel_aspect:
            stream.codec_context.sample_aspect_ratio = self.pixel_aspect
        if self.rotation_deg or self.mirrored:
            stream.set_display_rotation(self.rotation_deg, hflip=self.mirrored)
        if self.matrix and self.tagged:
            stream.codec_context.colorspace = self.matrix
        if self.full_range:
            stream.codec_context.color_range = 2
        return stream

    def _frame(self, number: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(self.image(number), format="rgb24")
        if self.pixels != "rgb24":
            frame = frame.reformat(
                format=self.pixels,
                dst_colorspace="itu709" if self.matrix == 1 else "itu601",
                dst_color_range=2 if self.full_range else 1,
                src_color_range=2,
            )
            frame.colorspace = (self.matrix if self.tagged else None) or 2
            frame.color_range = 2 if self.full_range else 0
        frame.pts = self.ticks[number] if self.ticks else number
        frame.time_base = Fraction(1, 1000 if self.ticks else self.fps)
        return frame


def _track(container, sound: Sound):
    options = {"strict": "experimental"}
    track = container.add_stream(sound.codec, rate=sound.rate_hz, options=options)
    track.layout = sound.layout
    if sound.language:
        track.metadata["language"] = sound.language
    if sound.default:
        track.disposition = av.stream.Disposition.default
    return track


def tone(sound: Sound) -> list[av.AudioFrame]:
    """The sound in pieces of a twentieth of a second, as 16-bit samples."""
    channels = av.AudioLayout(sound.layout).nb_channels
    total, step = round(sound.seconds * sound.rate_hz), sound.rate_hz // 20
    frames = []
    for begin in range(0, total, step):
        t = np.arange(begin, min(total, begin + step)) / sound.rate_hz
        wave = (np.sin(2 * np.pi * sound.hz * t) * 8000).astype(np.int16)
        packed = np.repeat(wave, channels)[None, :]
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=sound.layout)
        frame.rate = sound.rate_hz
        frame.time_base = Fraction(1, sound.rate_hz)
        frame.pts = begin + round(sound.start_s * sound.rate_hz)
        frames.append(frame)
    return frames


def repack(source: Path, target: Path, change, container: str | None = None) -> Path:
    """Copy packets into another file; `change(packet, number)` gives what is kept of each."""
    with av.open(f"file:{source}") as given, av.open(
        f"file:{target}", "w", format=container
    ) as made:  # fmt: skip
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        count = dict.fromkeys(streams, 0)
        for packet in given.demux():
            if packet.dts is None and packet.size == 0:
                continue
            index = packet.stream.index
            kept = change(packet, count[index])
            count[index] += 1
            if kept is not None:
                kept.stream = streams[index]
                made.mux(kept)
    return target
