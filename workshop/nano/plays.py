"""Draws a match from a seed, play by play: passes, what is to be found, what only looks like it.

Each play takes up where the last one ended, and writes down where the ball goes, who is called
where, and what is shown and heard.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from kairos_lib.nano.script import PlayedSound
from kairos_lib.nano.world import Colour, Field, Kind
from workshop.nano.match import (
    APART_S,
    BOTTOM_PX,
    HEIGHT_PX,
    LEFT_PX,
    MIDDLE,
    NET_PX,
    POST_PX,
    REFEREE,
    RIGHT_PX,
    TEAM,
    TOP_PX,
    WIDTH_PX,
    Heard,
    Look,
    Match,
    Move,
    Place,
    Prop,
    PropKind,
    Walk,
    place_of,
)

_KITS: tuple[Colour, ...] = ("red", "blue", "orange", "white")
_SHAPES: tuple[Kind, ...] = ("circle", "square", "star")
_HOMES: tuple[Place, ...] = ((38, 90), (88, 58), (88, 122), (138, 90), (196, 56), (196, 124))
_LONGEST_GAP_S = 26.0
_QUIET_S = 4.0
"""At the start and at the end."""
_PASS_PX_PER_S = 105.0
_SHOT_PX_PER_S = 170.0
# The least time from a play's start to its event, and the most it may take to its end.
_LEAD_S: dict[PropKind, float] = {"net": 0.9, "chalk": 2.4, "card": 1.0, "board": 0.8}
_WHOLE_S = 9.0
# Enough for most of what only looks like an event; where it takes longer, the next event waits.
_DISTRACTION_S = 6.5


def draw_match(seed: int, duration_s: float) -> Match:
    """Draw a match; the same seed and length give the same match."""
    rng = random.Random(seed)
    director = _Director(rng)
    events: dict[PropKind, Callable[[], None]] = {
        "net": director.goal,
        "chalk": director.corner,
        "card": director.card,
        "board": director.substitution,
    }
    due_s = rng.uniform(_QUIET_S, _LONGEST_GAP_S / 2)
    bag: list[PropKind] = []
    while due_s + _WHOLE_S < duration_s - _QUIET_S:
        # Every kind as often as any other, in no order.
        if not bag:
            bag = rng.sample(list(events), len(events))
        kind = bag.pop()
        director.play_until(due_s - _LEAD_S[kind])
        events[kind]()
        due_s = director.props[-1].start_s + rng.uniform(APART_S, rng.uniform(8, _LONGEST_GAP_S))
    director.play_until(duration_s)
    return director.match(seed, duration_s)


class _Director:
    """What has been played so far, and the plays that there are."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.walks = [self._walk(actor) for actor in range(2 * TEAM + 1)]
        self.moves: list[Move] = []
        self.props: list[Prop] = []
        self.heard: list[Heard] = []
        self.distractions: list[float] = []
        self.ball: list[tuple[float, float, float]] = [(0.0, *MIDDLE)]
        self.owner = rng.randrange(2 * TEAM)

    def match(self, seed: int, duration_s: float) -> Match:
        """What was played, as a match."""
        rng = self.rng
        kits, shapes = rng.sample(_KITS, 2), rng.sample(_SHAPES, 2)
        field = Field("green", rng.choice(("plain", "striped")), round(rng.uniform(-0.5, 0.4), 2))
        return Match(
            seed=seed,
            duration_s=duration_s,
            look=Look(field, (kits[0], kits[1]), (shapes[0], shapes[1])),
            walks=tuple(self.walks),
            moves=tuple(self.moves),
            ball=tuple(self.ball),
            props=tuple(self.props),
            heard=tuple(self.heard),
            distractions=tuple(self.distractions),
        )

    # The state between plays

    @property
    def now_s(self) -> float:
        return self.ball[-1][0]

    @property
    def at(self) -> Place:
        return self.ball[-1][1:]

    def place(self, actor: int, time_s: float) -> Place:
        return place_of(self.walks[actor], [m for m in self.moves if m.actor == actor], time_s)

    # What plays are made of

    def rest(self, seconds: float) -> None:
        """The ball lies still."""
        if seconds > 0:
            self.ball.append((self.now_s + seconds, *self.at))

    def send(self, to: Place, px_per_s: float, least_s: float = 0.3) -> None:
        """The ball goes somewhere."""
        took_s = max(math.dist(self.at, to) / px_per_s, least_s)
        self.ball.append((self.now_s + took_s, *to))

    def call(self, actor: int, place: Place, seconds: float, ahead_s: float = 0.0) -> None:
        """Someone is at a place from now (or a little later) on."""
        start_s = self.now_s + ahead_s
        self.moves.append(Move(actor, place, start_s, start_s + seconds))

    def show(self, kind: PropKind, place: Place, seconds: float) -> None:
        numbers = (self.rng.randint(1, 19), self.rng.randint(1, 19))
        self.props.append(Prop(kind, place, self.now_s, self.now_s + seconds, numbers))

    def hear(self, sound: PlayedSound, seconds: float) -> None:
        self.heard.append(Heard(sound, self.now_s, seconds))

    def pass_to(self, actor: int, px_per_s: float = _PASS_PX_PER_S) -> None:
        """The ball goes to someone, who keeps it for a moment."""
        near_s = self.now_s + math.dist(self.at, self.place(actor, self.now_s)) / px_per_s
        x, y = self.place(actor, near_s)
        self.send((x + self.rng.uniform(-6, 6), y + self.rng.choice((-7, 7))), px_per_s)
        self.owner = actor
        self.rest(self.rng.uniform(0.1, 0.7))

    def mate(self) -> int:
        """Whoever gets the next pass: mostly one of the same team, and no keeper."""
        team = self.owner // TEAM if self.rng.random() < 0.8 else 1 - self.owner // TEAM
        others = [a for a in range(team * TEAM + 1, (team + 1) * TEAM) if a != self.owner]
        return self.rng.choice(others)

    def goal_line(self, team: int) -> tuple[float, int]:
        """Where the line is that a team plays towards, and which way it lies: 1 is right."""
        return (RIGHT_PX, 1) if team == 0 else (LEFT_PX, -1)

    def forward(self) -> int:
        return self.rng.choice((TEAM - 1, TEAM - 2)) + TEAM * self.rng.randrange(2)

    # Open play, and what only looks like something

    def play_until(self, time_s: float) -> None:
        """Passes and distractions, to a moment."""
        distractions = (self.near_miss, self.save, self.throw_in, self.foul, self.goal_kick)
        while time_s - self.now_s > 2.2:
            if time_s - self.now_s > _DISTRACTION_S and self.rng.random() < 0.4:
                self.rng.choice(distractions)()
            else:
                self.pass_to(self.mate())
        self.rest(time_s - self.now_s)

    def near_miss(self) -> None:
        """A shot goes by a post."""
        forward = self.forward()
        self.pass_to(forward)
        line, way = self.goal_line(forward // TEAM)
        y = MIDDLE[1] + self.rng.choice((-1, 1)) * (POST_PX + self.rng.uniform(7, 22))
        self.send((line + way * self.rng.uniform(6, 18), y), _SHOT_PX_PER_S)
        self.distractions.append(self.now_s)
        self.rest(self.rng.uniform(0.5, 1.5))
        self._goal_kick(forward // TEAM)

    def save(self) -> None:
        """A shot ends at the keeper, before the line."""
        forward = self.forward()
        self.pass_to(forward)
        line, way = self.goal_line(forward // TEAM)
        keeper = (1 - forward // TEAM) * TEAM
        y = MIDDLE[1] + self.rng.uniform(-14, 14)
        self.call(keeper, (line - way * 6, y), 1.6, ahead_s=0.5)
        self.send((line - way * 12, y), _SHOT_PX_PER_S)
        self.distractions.append(self.now_s)
        self.rest(self.rng.uniform(0.6, 1.4))
        self.pass_to(keeper + self.rng.randrange(1, TEAM))

    def goal_kick(self) -> None:
        """The ball goes out behind a goal, off nobody: no corner."""
        line, way = self.goal_line(self.rng.randrange(2))
        self._over_the_line(line, way)
        self.distractions.append(self.now_s)
        self.rest(self.rng.uniform(0.4, 1.0))
        self._goal_kick(0 if way > 0 else 1)

    def _goal_kick(self, attackers: int) -> None:
        line, way = self.goal_line(attackers)
        keeper = (1 - attackers) * TEAM
        spot = (line - way * 20, MIDDLE[1] + self.rng.choice((-16, 16)))
        self.call(keeper, (spot[0] + way * 8, spot[1]), 1.6)
        self.send(spot, 80)
        self.rest(self.rng.uniform(0.6, 1.2))
        self.pass_to(keeper + self.rng.randrange(1, TEAM), _SHOT_PX_PER_S)

    def throw_in(self) -> None:
        """The ball goes over a touchline, anywhere, and is thrown back."""
        y, out = self.rng.choice(((TOP_PX, -8.0), (BOTTOM_PX, 8.0)))
        x = self.rng.uniform(LEFT_PX + 4, RIGHT_PX - 4)
        self.send((x, y + out), _PASS_PX_PER_S)
        thrower = self.mate()
        self.call(thrower, (x + 5, y + out * 1.3), 2.2)
        self.rest(self.rng.uniform(0.9, 1.8))
        self.distractions.append(self.now_s)
        self.owner = thrower
        self.pass_to(self.mate())

    def foul(self) -> None:
        """The whistle; the referee comes, and leaves it at that."""
        self._stop_play()
        self.distractions.append(self.now_s)
        self.rest(self.rng.uniform(1.0, 2.5))
        self.pass_to(self.mate())

    def _stop_play(self) -> Place:
        self.hear("whistle", 0.5)
        x, y = self.place(self.owner, self.now_s)
        x = min(max(x, 45.0), WIDTH_PX - 45.0)
        y = min(max(y, 48.0), HEIGHT_PX - 36.0)
        self.call(self.owner, (x, y), 4.0)
        self.call(REFEREE, (x + 17, y), 4.0, ahead_s=0.5)
        self.rest(self.rng.uniform(1.0, 1.8))
        return (x + 17, y)

    # What is to be found

    def goal(self) -> None:
        """A shot crosses the line between the posts; joy; the ball goes back to the middle."""
        forward = self.forward()
        self.pass_to(forward)
        line, way = self.goal_line(forward // TEAM)
        y = MIDDLE[1] + self.rng.uniform(-0.7, 0.7) * POST_PX
        self.send((line, y), _SHOT_PX_PER_S)
        seconds = self.rng.uniform(2.0, 3.5)
        self.show("net", (line + way * NET_PX / 2, MIDDLE[1]), seconds)
        self.hear("whistle", 0.8)
        self.send((line + way * NET_PX * 0.6, y), _SHOT_PX_PER_S, least_s=0.08)
        team = forward // TEAM * TEAM
        joy = (line - way * 50, self.rng.choice((TOP_PX + 26, BOTTOM_PX - 26)))
        for number in range(1, TEAM):
            angle = 2 * math.pi * number / (TEAM - 1)
            self.call(
                team + number,
                (joy[0] + 13 * math.cos(angle), joy[1] + 13 * math.sin(angle)),
                seconds - 1.0,
                ahead_s=0.8,
            )
        self.rest(self.props[-1].end_s - self.now_s)
        self.hear("applause", 1.5)
        self.send(MIDDLE, 150)
        self.owner = TEAM - team + 3
        self.rest(0.5)

    def corner(self) -> None:
        """The ball goes out off a defender, is placed at the flag, and is taken."""
        team = self.rng.randrange(2)
        line, way = self.goal_line(team)
        self._over_the_line(line, way)
        y, down = self.rng.choice(((TOP_PX, 1), (BOTTOM_PX, -1)))
        taker = team * TEAM + self.rng.randrange(1, TEAM - 1)
        self.rest(self.rng.uniform(0.3, 0.7))
        self.call(taker, (line + way * 8, y - down * 6), 3.0, ahead_s=0.3)
        self.send((line - way * 3, y + down * 3), 90)
        self.rest(self.rng.uniform(1.2, 2.2))
        self.show("chalk", (line, y), self.rng.uniform(1.5, 2.0))
        header = team * TEAM + TEAM - 1
        target = (line - way * self.rng.uniform(18, 42), MIDDLE[1] + self.rng.uniform(-18, 18))
        self.call(header, target, 1.5, ahead_s=0.3)
        self.send(target, 95)
        self.owner = header
        self.rest(0.4)
        self.pass_to(self.mate())

    def card(self) -> None:
        """The whistle; the referee comes and holds up a card; play stands."""
        x, y = self._stop_play()
        seconds = self.rng.uniform(1.8, 3.5)
        self.show("card", (x + 4, y - 17), seconds)
        self.call(REFEREE, (x, y), seconds)
        self.rest(seconds + 0.3)
        self.pass_to(self.mate())

    def substitution(self) -> None:
        """Play stands and a board is held up at a touchline; one goes off and one comes on."""
        self.rest(self.rng.uniform(0.8, 1.4))
        seconds = self.rng.uniform(2.0, 4.0)
        x = self.rng.uniform(62, WIDTH_PX - 62)
        y, line = self.rng.choice(((17.0, TOP_PX), (HEIGHT_PX - 17.0, BOTTOM_PX)))
        self.show("board", (x, y), seconds)
        self.call(self.mate(), (x - 32, line), seconds, ahead_s=0.6)
        self.rest(seconds + 0.2)
        self.pass_to(self.mate())

    # Details

    def _over_the_line(self, line: float, way: int) -> None:
        """The ball goes out behind a goal line, beside the goal."""
        y = MIDDLE[1] + self.rng.choice((-1, 1)) * self.rng.uniform(POST_PX + 8, 56)
        self.send((line + way * self.rng.uniform(6, 14), y), 130)

    def _walk(self, actor: int) -> Walk:
        rng = self.rng
        if actor == REFEREE:
            home, reach = (MIDDLE[0] + 15, MIDDLE[1] - 25), 30.0
        else:
            x, y = _HOMES[actor % TEAM]
            home = (x + rng.uniform(-8, 8), y + rng.uniform(-8, 8))
            home = home if actor < TEAM else (WIDTH_PX - home[0], home[1])
            reach = 4.0 if actor % TEAM == 0 else rng.uniform(10, 18)
        return Walk(
            home,
            reach,
            (rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.2)),
            (rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)),
        )
