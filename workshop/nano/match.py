"""A ball game as plain data: who is where at every moment, and when what happens. Knows no pixels.

A match is drawn whole from its seed (`plays`), and any moment of it can be looked at by itself: a
window of a few frames costs no more than these frames.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kairos_lib.events.records import Event
from kairos_lib.nano.script import PlayedSound
from kairos_lib.nano.world import Colour, Field, Kind

Place = tuple[float, float]
"""Pixels from the left and the top of a frame."""
PropKind = Literal["net", "chalk", "card", "board"]

WIDTH_PX = 320
HEIGHT_PX = 180
LEFT_PX, RIGHT_PX = 26.0, 294.0
TOP_PX, BOTTOM_PX = 24.0, 156.0
MIDDLE: Place = (160.0, 90.0)
POST_PX = 19.0
"""From the middle of a goal to either of its posts."""
NET_PX = 15.0
"""How deep a net is, behind the line."""

EVENT_OF: dict[PropKind, str] = {
    "net": "Goal",
    "chalk": "Corner",
    "card": "Yellow card",
    "board": "Substitution",
}
"""What each thing shows, from the moment that it is there."""
LABELS = tuple(EVENT_OF.values())
OPENING_S = 0.5
"""For so long after its moment an event looks as it never looks again: a net bulges, chalk flies
up, a card and a board are swung. A frame alone can tell that it is the first that shows it."""
APART_S = 4.0
"""No two events are closer."""

TEAM = 6
"""Players of a team; the first of them keeps the goal."""
REFEREE = 2 * TEAM
_RAMP_S = 0.9
_HELD_OUT_SHARE = 10


@dataclass(frozen=True)
class Prop:
    """Something that is seen for a while, from the moment of its event on."""

    kind: PropKind
    place: Place
    start_s: float
    end_s: float
    numbers: tuple[int, int] = (0, 0)
    """On a board: who goes and who comes."""

    def opens(self, time_s: float) -> bool:
        """Whether its event has only just happened."""
        return self.start_s <= time_s < self.start_s + OPENING_S


@dataclass(frozen=True)
class Move:
    """Someone is called to a place for a while, and walks there and back."""

    actor: int
    place: Place
    start_s: float
    end_s: float

    def pull(self, time_s: float) -> float:
        """How near the place someone is: from 0, where they would be otherwise, to 1."""
        before, after = self.start_s - time_s, time_s - self.end_s
        left = 1.0 - max(before, after, 0.0) / _RAMP_S
        return left * left * (3 - 2 * left) if left > 0 else 0.0


@dataclass(frozen=True)
class Walk:
    """How someone who is not called anywhere wanders about."""

    home: Place
    reach_px: float
    rates: Place
    """Radians a second, along and across."""
    phases: Place

    def at(self, time_s: float) -> Place:
        """Where they are."""
        return (
            self.home[0] + self.reach_px * math.sin(self.rates[0] * time_s + self.phases[0]),
            self.home[1] + self.reach_px * math.sin(self.rates[1] * time_s + self.phases[1]),
        )


@dataclass(frozen=True)
class Heard:
    """A sound with its place in the match."""

    sound: PlayedSound
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Look:
    """What a match looks like, whatever happens in it."""

    field: Field
    kits: tuple[Colour, Colour]
    shapes: tuple[Kind, Kind]


@dataclass(frozen=True)
class State:
    """All that is to be seen at one moment."""

    time_s: float
    ball: Place
    actors: tuple[Place, ...]
    """The first team, the second, the referee."""
    props: tuple[Prop, ...]


@dataclass(frozen=True)
class Match:
    """A whole match."""

    seed: int
    duration_s: float
    look: Look
    walks: tuple[Walk, ...]
    moves: tuple[Move, ...]
    ball: tuple[tuple[float, float, float], ...]
    """Time and place of the ball wherever its way bends, in order of time."""
    props: tuple[Prop, ...]
    heard: tuple[Heard, ...]
    distractions: tuple[float, ...]
    """Moments at which something looks a little like an event and is none."""

    @property
    def events(self) -> tuple[Event, ...]:
        """What is to be found, in order of time."""
        return tuple(Event(label=EVENT_OF[p.kind], time_s=round(p.start_s, 3)) for p in self.props)

    def at(self, time_s: float) -> State:
        """What is to be seen at a moment."""
        return State(
            time_s,
            self._ball_at(time_s),
            tuple(
                place_of(walk, self._moves_of[actor], time_s)
                for actor, walk in enumerate(self.walks)
            ),
            tuple(prop for prop in self.props if prop.start_s <= time_s < prop.end_s),
        )

    def first_shown(self, times_s: Sequence[float]) -> tuple[Event, int] | None:
        """The event that one of some frames is the first to show, and which frame that is.

        Args:
            times_s: Of the frames, ascending, no more than `OPENING_S` apart.
        """
        for prop, event in zip(self.props, self.events, strict=True):
            for number, time_s in enumerate(times_s):
                if prop.opens(time_s):
                    return event, number
        return None

    @cached_property
    def _moves_of(self) -> list[list[Move]]:
        return [[m for m in self.moves if m.actor == actor] for actor in range(len(self.walks))]

    @cached_property
    def _bends_s(self) -> list[float]:
        return [time_s for time_s, _, _ in self.ball]

    def _ball_at(self, time_s: float) -> Place:
        after = bisect_right(self._bends_s, time_s)
        if after == 0:
            return self.ball[0][1:]
        if after == len(self.ball):
            return self.ball[-1][1:]
        (a_s, ax, ay), (b_s, bx, by) = self.ball[after - 1], self.ball[after]
        share = (time_s - a_s) / (b_s - a_s)
        return (ax + (bx - ax) * share, ay + (by - ay) * share)


def place_of(walk: Walk, moves: Sequence[Move], time_s: float) -> Place:
    """Where someone is who wanders about and is called away now and then."""
    x, y = walk.at(time_s)
    for move in moves:
        pull = move.pull(time_s)
        x += (move.place[0] - x) * pull
        y += (move.place[1] - y) * pull
    return (x, y)


def held_out(seed: int) -> bool:
    """Whether a match is kept from all training: one in ten is, by its seed's hash."""
    digest = hashlib.sha256(f"match {seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % _HELD_OUT_SHARE == 0
