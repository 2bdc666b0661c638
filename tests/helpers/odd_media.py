"""Malformed and unusual media files, each with what is to come of it.

A plain film here is two scenes of one second, ten frames each, of 96×64 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from helpers.films import Film, Sound, repack

PLAIN = Film(sounds=[Sound()], options={"g": "10"})
SILENT = Film(options={"g": "10"})


@dataclass(frozen=True)
class Odd:
    """A file and what is expected of it: words of the one line, or facts of the result."""

    name: str
    make: Callable[[Path], object]
    refused: str = ""
    frames: tuple[int, int] = (20, 20)
    """Fewest and most."""
    seconds: float | None = 2.0
    scenes: int | None = 2
    sound_s: float | None = None
    """Length of the sound; none of a film without."""
    hertz: float = 440.0
    size: tuple[int, int] = (96, 64)
    told: str = ""
    """Words of what the reader is told of it."""


def film(**changes: object) -> Callable[[Path], object]:
    """A film that needs no more than being written."""
    return Film(**{"options": {"g": "10"}, **changes}).write


def good(path: Path, made: Film = PLAIN, suffix: str = ".mp4") -> Path:
    """A good film to begin with, in the folder beside that of the odd ones."""
    return made.write(path.parent.parent / "good" / f"{abs(hash((path.name, id(made))))}{suffix}")


def data_of(path: Path, made: Film = PLAIN, suffix: str = ".mp4") -> bytes:
    """The bytes of a good film."""
    return good(path, made, suffix).read_bytes()


def cut(share: float, made: Film = PLAIN, suffix: str = ".mp4") -> Callable[[Path], object]:
    """A copy that ended early."""

    def make(path: Path) -> None:
        data = data_of(path, made, suffix)
        path.write_bytes(data[: round(len(data) * share)])

    return make


def head(mark: bytes, suffix: str = ".mp4", made: Film = PLAIN) -> Callable[[Path], object]:
    """Only what comes before the pictures."""

    def make(path: Path) -> None:
        data = data_of(path, made, suffix)
        path.write_bytes(data[: data.index(mark) + len(mark)])

    return make


def edited(
    *changes: tuple[bytes, int, bytes], made: Film = PLAIN, suffix: str = ".mp4"
) -> Callable[[Path], object]:
    """Bytes overwritten at a distance from each place where a mark is found."""

    def make(path: Path) -> None:
        data = bytearray(data_of(path, made, suffix))
        for mark, distance, new in changes:
            at = data.find(mark)
            assert at >= 0, mark
            while at >= 0:
                data[at + distance : at + distance + len(new)] = new
                at = data.find(mark, at + len(mark))
        path.write_bytes(data)

    return make


def wrapped(
    before: bytes = b"", after: bytes = b"", made: Film = PLAIN, suffix: str = ".mp4"
) -> Callable[[Path], object]:
    """Something else stuck to a good film."""
    return lambda path: path.write_bytes(before + data_of(path, made, suffix) + after)


def joined(*films: Film, suffix: str = ".ts") -> Callable[[Path], object]:
    """Files appended to one another, as recorders and `cat` do."""
    return lambda path: path.write_bytes(b"".join(data_of(path, f, suffix) for f in films))


def packets(
    change: Callable[[av.Packet, int], object], made: Film = SILENT, suffix: str = ".mkv"
) -> Callable[[Path], object]:
    """A good film with its packets changed."""

    def make(path: Path) -> None:
        repack(good(path, made, suffix), path, change)

    return make


def moved(first: int, by_ticks: int, last: int = 10_000) -> Callable[[Path], object]:
    """Some pictures with their stamps moved."""

    def change(packet: av.Packet, number: int) -> av.Packet:
        if first <= number <= last:
            packet.pts += by_ticks
        # Matroska stores no decoding stamps, but the muxer wants them to rise.
        packet.dts = number - 100_000
        return packet

    return packets(change)


def garbled(numbers: range, share: float = 1.0) -> Callable[[Path], object]:
    """Some pictures' data overwritten, their places and stamps left as they are."""

    def make(path: Path) -> None:
        source = good(path, SILENT)
        data = bytearray(source.read_bytes())
        with av.open(str(source)) as container:
            places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
        noise = np.random.default_rng(7)
        for number in numbers:
            at, size = places[number]
            count = max(1, round(size * share))
            data[at + 4 : at + count] = noise.bytes(max(0, count - 4))
        path.write_bytes(data)

    return make


def still(kind: str) -> Callable[[Path], object]:
    """A picture."""
    from PIL import Image

    return lambda path: Image.fromarray(PLAIN.image(0)).save(path, format=kind)
