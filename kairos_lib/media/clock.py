"""One clock for all streams of a file, from the stamps of what is stored; nothing is decoded.

Stamps restart where two recordings were joined, jump over days that hold nothing, or are broken.
What to do about it is decided here once, for pictures and sound alike: handled separately, they
would drift apart at every joint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos_lib.media.container import (
    Packets,
    audio_streams,
    frames_per_second,
    open_container,
    video_stream,
)
from kairos_lib.media.facts import Joint

if TYPE_CHECKING:
    import av

# Formats of broadcast streams, in which stamps may restart at any time.
SPLICED = ("mpegts", "mpeg")
# Has no decoding stamps, and those that libavformat makes up do not survive a broken one.
PRESENTATION_ONLY = ("matroska,webm",)
JUMP_BACK_S = 1.0
"""Stamps that go back further than this have restarted, as where two recordings were joined: what
follows is appended at the end of the film so far. Less is a duplicate or disorder."""
REORDERED_FRAMES = 20
"""Codecs store a frame at most sixteen others before it is shown."""
LONG_GAP_S = 10.0
"""A longer time without anything in any stream is examined: a broadcast cannot stand still, so
there it is a joint. Elsewhere it is a pause, as in a screen recording."""
LONGEST_PAUSE_S = 2 * 3600.0
"""A longer time is not a pause but broken stamps, and left out."""
PAUSES_S = 6 * 3600.0
"""Limit for all pauses of a file with sound: they are written as silence, this much in 700 MB."""
BROKEN_S = 1.0
"""Stamps that return to where they were within this time were broken in between."""


@dataclass(frozen=True)
class Scan:
    """What is stored in a file, as far as it can be read."""

    joints: tuple[Joint, ...]
    jumps: int
    """How often stamps restarted or made no sense."""
    gaps_s: float
    """Time that stamps jump over without anything stored; left out."""
    pictures_end_s: float
    """On the joined clock, whose zero is the container's."""
    sound_end_s: float
    """Of the stream that ends last; 0 without any."""
    unread: int
    """Number of unreadable places that were skipped."""


@dataclass(eq=False)
class _Epoch:
    """A part of the file in which the stamps of all streams belong together."""

    first_s: float
    """By its own stamps, as is its end."""
    end_s: float
    shift_s: float = 0.0
    """From its stamps to the film's clock."""
    pause_s: float = 0.0
    """Time before it in which nothing is stored, and which is kept."""
    gap_s: float = 0.0
    """Likewise, but left out."""
    joined: bool = False
    """Whether the clock was changed for it."""
    streams: set[int] = field(default_factory=set)


@dataclass
class _Track:
    """The state of one stream."""

    stream: Any
    by_presentation: bool
    back_s: float
    frame_s: float
    packets: int = 0
    epoch: _Epoch | None = None
    newest_s: dict[_Epoch, float] = field(default_factory=dict)
    """Its newest stamp in each epoch that it has been in."""
    turns: list[tuple[int, _Epoch | None]] = field(default_factory=list)
    """From which packet on it is in an epoch; in none where stamps are broken."""
    end_s: float = 0.0

    def stamp_s(self, packet: av.Packet[Any]) -> float | None:
        first, second = packet.dts, packet.pts
        if self.by_presentation:
            first, second = second, first
        ticks = second if first is None else first
        return None if ticks is None else float(ticks * self.stream.time_base)

    def end_of_s(self, packet: av.Packet[Any], stamp_s: float) -> float:
        base = self.stream.time_base
        shown_s = stamp_s if packet.pts is None else float(packet.pts * base)
        lasts_s = float((packet.duration or 0) * base)
        return shown_s + (lasts_s if 0 < lasts_s <= LONG_GAP_S else self.frame_s)


def scan(path: Path) -> Scan:
    """Read every packet of a film's pictures and sound.

    Raises:
        KairosError: The file is not a video.
    """
    with open_container(path) as container:
        stream = video_stream(path, container)
        sounds = audio_streams(container)
        rate = frames_per_second(stream)
        shuffled = container.format.name in PRESENTATION_ONLY
        back_s = max(JUMP_BACK_S, REORDERED_FRAMES / rate) if shuffled else JUMP_BACK_S
        pictures = _Track(stream, shuffled, back_s, frame_s=1 / rate)
        tracks = {sound.index: _Track(sound, shuffled, JUMP_BACK_S, 0.0) for sound in sounds}
        clock = _Clock(container.format.name in SPLICED, heard=bool(sounds))
        packets = Packets(path, container, [stream, *sounds])
        for packet in packets.stored():
            clock.add(tracks.get(packet.stream_index, pictures), packet)
        return Scan(
            joints=tuple(clock.joints([pictures, *tracks.values()])),
            jumps=clock.jumps,
            gaps_s=clock.gaps_s,
            # A raw stream has no stamps.
            pictures_end_s=pictures.end_s if pictures.epoch else pictures.packets / rate,
            sound_end_s=max((track.end_s for track in tracks.values()), default=0.0),
            unread=packets.unread,
        )


class _Clock:
    """Follows the stamps of all streams in the order of the file."""

    def __init__(self, spliced: bool, heard: bool) -> None:
        self._spliced = spliced
        self._heard = heard
        self._epochs: list[_Epoch] = []
        self._broken = 0

    @property
    def jumps(self) -> int:
        """How often stamps restarted or made no sense."""
        return self._broken + sum(epoch.joined for epoch in self._epochs)

    @property
    def gaps_s(self) -> float:
        """Time that was left out."""
        return sum(epoch.gap_s for epoch in self._epochs)

    def add(self, track: _Track, packet: av.Packet[Any]) -> None:
        """Take the next packet of a stream."""
        number = track.packets
        track.packets += 1
        stamp_s = track.stamp_s(packet)
        if stamp_s is None:
            return
        epoch = track.epoch
        if epoch is None or not self._goes_on(track, epoch, stamp_s, self._epochs[-1]):
            shown_s = stamp_s if packet.pts is None else float(packet.pts * packet.time_base)
            epoch = self._back(track, stamp_s) or self._onward(track, stamp_s, shown_s)
            track.turns.append((number, epoch))
            track.epoch = epoch
        epoch.streams.add(track.stream.index)
        track.newest_s[epoch] = stamp_s
        end_s = track.end_of_s(packet, stamp_s)
        epoch.end_s = max(epoch.end_s, end_s)
        track.end_s = max(track.end_s, end_s + epoch.shift_s)

    @staticmethod
    def _goes_on(track: _Track, epoch: _Epoch, stamp_s: float, latest: _Epoch) -> bool:
        newest_s = track.newest_s[epoch]
        # If another stream has restarted, any step back is this one's joint as well.
        back_s = track.back_s if epoch is latest or track.by_presentation else 0.0
        # A time filled by another stream is not a gap, however long this stream has been still.
        return newest_s - back_s < stamp_s <= max(newest_s, epoch.end_s) + LONG_GAP_S

    def _back(self, track: _Track, stamp_s: float) -> _Epoch | None:
        """The epoch that a stream returns to after a moment of broken stamps, if any."""
        broken = track.epoch
        if (
            broken is None
            or broken.streams != {track.stream.index}
            or track.newest_s[broken] - broken.first_s > BROKEN_S
        ):
            return None
        for epoch, newest_s in track.newest_s.items():
            if epoch is not broken and -track.back_s < stamp_s - newest_s <= LONG_GAP_S:
                self._broken += 1
                self._epochs.remove(broken)
                del track.newest_s[broken]
                track.turns[-1] = (track.turns[-1][0], None)
                track.end_s = max(s + epoch.shift_s for epoch, s in track.newest_s.items())
                return epoch
        return None

    def _onward(self, track: _Track, stamp_s: float, shown_s: float) -> _Epoch:
        """The epoch that another stream has already begun here, or else a new one.

        A stream that has not begun yet can do so in any of them.
        """
        begun = track.epoch is not None
        slack_s = LONG_GAP_S if begun or self._spliced else LONGEST_PAUSE_S
        for epoch in self._epochs[-1:] if begun else reversed(self._epochs):
            near = epoch.first_s - slack_s <= stamp_s <= epoch.end_s + LONG_GAP_S
            if near and epoch is not track.epoch:
                return epoch
        made = self._new(track.epoch, stamp_s, shown_s)
        self._epochs.append(made)
        return made

    def _new(self, before: _Epoch | None, stamp_s: float, shown_s: float) -> _Epoch:
        """Begin an epoch: a pause advances the clock, anything else continues the film."""
        if not self._epochs:
            return _Epoch(stamp_s, stamp_s)
        before = before or self._epochs[-1]
        film_s = max(epoch.end_s + epoch.shift_s for epoch in self._epochs)
        gap_s = max(0.0, stamp_s + before.shift_s - film_s)
        paused_s = sum(epoch.pause_s for epoch in self._epochs) if self._heard else 0.0
        if (
            stamp_s > before.end_s
            and not self._spliced
            and gap_s <= min(LONGEST_PAUSE_S, PAUSES_S - paused_s)
        ):
            return _Epoch(stamp_s, stamp_s, before.shift_s, pause_s=gap_s)
        return _Epoch(stamp_s, stamp_s, film_s - shown_s, gap_s=gap_s, joined=True)

    @staticmethod
    def joints(tracks: Iterable[_Track]) -> Iterator[Joint]:
        """Positions where each stream's stamps must be changed."""
        for track in tracks:
            index, base = track.stream.index, track.stream.time_base
            shift: int | None = 0
            for number, epoch in track.turns:
                following = None if epoch is None else round(epoch.shift_s / base)
                if following != shift:
                    shift = following
                    yield Joint(stream=index, packet=number, shift=shift)


def on_one_clock(
    packets: Iterable[av.Packet[Any]], joints: Iterable[Joint]
) -> Iterator[av.Packet[Any]]:
    """One stream's packets, from its first one on, with corrected stamps."""
    waiting = list(joints)[::-1]
    shift: int | None = 0
    for number, packet in enumerate(packets):
        while waiting and waiting[-1].packet <= number:
            shift = waiting.pop().shift
        if shift is None:
            packet.pts = packet.dts = None
        elif shift:
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        yield packet
