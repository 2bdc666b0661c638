"""Films whose streams do not go together: one is damaged, ends early, leaps or cancels itself."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from helpers.films import Film, Sound, repack

SOUND_RATE_HZ = 16_000
FRAME = 1600


def wrong_offset(path: Path, chunk: float = 0.5, seconds: float = 4.0) -> Path:
    """One chunk of the sound is said to lie beyond the file's end.

    Args:
        path: Where to write; an MP4 file.
        chunk: Which one, as a share of all.
        seconds: Length of the film.
    """
    film = Film(frames=round(seconds * 10), options={"g": "10"}, sounds=[Sound(seconds)])
    data = bytearray(film.write(path).read_bytes())
    at = data.index(b"stco", data.index(b"soun")) + 8
    count = int.from_bytes(data[at : at + 4], "big")
    place = at + 4 + 4 * min(count - 1, int(chunk * count))
    data[place : place + 4] = struct.pack(">I", 0x7FFFFFF0)
    path.write_bytes(data)
    return path


def channels(
    path: Path, gains: list[float], layout: str = "", codec: str = "pcm_s16le", hz: float = 440.0
) -> Path:
    """Two seconds of a tone, in each channel by a factor of its own; without a layout by itself."""
    silent = Film(options={"g": "10"})
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = layout or f"{len(gains)} channels"
    rate_hz = 48_000 if codec == "libopus" else SOUND_RATE_HZ
    with av.open(str(path), "w") as container:
        stream = silent.stream(container)
        options = {"mapping_family": "255"} if codec == "libopus" else {}
        track = container.add_stream(codec, rate=rate_hz, options=options)
        track.layout = layout
        for begin in range(0, 2 * rate_hz, FRAME):
            times_s = np.arange(begin, begin + FRAME) / rate_hz
            wave = np.sin(2 * np.pi * hz * times_s) * 8000
            packed = np.outer(wave, gains).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, begin
            frame.time_base = Fraction(1, rate_hz)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
        silent.encode(container, stream)
    return path


def camera_stops(path: Path, sound_s: float = 8.0) -> Path:
    """Two seconds of pictures, and sound that goes on."""
    return Film(options={"g": "10"}, sounds=[Sound(sound_s)]).write(path)


def stills(path: Path, each_s: float = 20.0, count: int = 3) -> Path:
    """A broadcast of pictures that stand for long, with sound throughout."""
    ticks = [round(number * each_s * 1000) for number in range(count)]
    return Film(count, ticks=ticks, sounds=[Sound(each_s * count)]).write(path)


def leap(
    path: Path,
    by_s: float = 2e5,
    streams: tuple[str, ...] = ("audio", "video"),
    times: int = 1,
) -> Path:
    """Two seconds of film whose stamps leap ahead: after the first, or at several moments."""
    film = Film(options={"g": "10"}, sounds=[Sound(codec="pcm_s16le")])

    def change(packet: av.Packet, number: int) -> av.Packet:
        if packet.stream.type in streams:
            passed = int(packet.pts * packet.time_base * (times + 1) / 2)
            packet.pts += round(passed * by_s / packet.time_base)
        packet.dts = packet.pts
        return packet

    return repack(film.write(path.parent.parent / "good" / path.name), path, change)


def relay(path: Path, joints: int = 6, sound_more_s: float = 0.4) -> Path:
    """Broadcasts of two seconds put one after the other, their sound longer than their pictures.

    In each the tone is heard from the first picture on.
    """
    parts = []
    for number in range(joints + 1):
        sound = Sound(seconds=2 + sound_more_s, hz=300 + 100 * number, codec="mp2")
        part = path.with_name(f"part-{number}.ts")
        Film(20, options={"g": "10"}, sounds=[sound]).write(part)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path
