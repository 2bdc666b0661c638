"""Draws the frames of a match. Knows nothing of files or sounds, or of what is to come."""

from __future__ import annotations

import random
from collections.abc import Sequence

import cv2
import numpy as np

from kairos_lib.nano.staging import Actor, Pose
from kairos_lib.nano.world import Colour, Kind, Shape
from workshop.nano.match import (
    BOTTOM_PX,
    HEIGHT_PX,
    LEFT_PX,
    MIDDLE,
    NET_PX,
    POST_PX,
    RIGHT_PX,
    TEAM,
    TOP_PX,
    WIDTH_PX,
    Look,
    Match,
    Place,
    Prop,
    State,
)
from workshop.nano.render import Frame, paint_field, paint_frame

_LINE = (225, 235, 225)
_DARK = (14, 14, 14)
_BRIGHT = (255, 255, 255)
_YELLOW = (250, 230, 40)
_PLAYER_PX = 7.0
_BALL_PX = 4.6
_BULGE_PX = 6.0

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of a frame."""


class Painter:
    """Paints moments of one match.

    Args:
        match: Whose look is taken.
    """

    def __init__(self, match: Match) -> None:
        self._match = match
        self._pitch = _pitch(match.look, random.Random(match.seed))

    def frame(self, time_s: float) -> Frame:
        """What is to be seen at a moment: 320x180, RGB."""
        return self.paint(self._match.at(time_s))

    def paint(self, state: State) -> Frame:
        """Paint all that is there."""
        look = self._match.look
        frame = self._pitch.copy()
        for prop in state.props:
            if prop.kind in ("net", "chalk"):
                _paint_prop(frame, prop, state.time_s)
        actors = [
            _still(look.shapes[number // TEAM], look.kits[number // TEAM], place, _PLAYER_PX)
            for number, place in enumerate(state.actors[:-1])
        ]
        actors.append(_still("triangle", "black", state.actors[-1], _PLAYER_PX + 1.5))
        actors.append(_still("circle", "black", state.ball, _BALL_PX + 1.2))
        actors.append(_still("circle", "white", state.ball, _BALL_PX))
        frame = paint_frame(frame, actors, 0.0)
        for prop in state.props:
            if prop.kind in ("card", "board"):
                _paint_prop(frame, prop, state.time_s)
        return frame


def box_of_prop(prop: Prop, time_s: float) -> Box:
    """Where something is seen at a moment at which it is there."""
    half_x, half_y = {
        "net": (NET_PX / 2, POST_PX),
        "chalk": (9.0, 9.0),
        "card": (7.0, 10.0),
        "board": (27.0, 12.0),
    }[prop.kind]
    x, y = prop.place
    if prop.opens(time_s):
        if prop.kind == "net":
            half_x += _BULGE_PX / 2
            x += _BULGE_PX / 2 * (1 if x > MIDDLE[0] else -1)
        else:
            grown = {"chalk": 1.9, "card": 1.6, "board": 1.3}[prop.kind]
            half_x, half_y = half_x * grown, half_y * grown
    return (
        max(x - half_x, 0.0),
        max(y - half_y, 0.0),
        min(x + half_x, WIDTH_PX - 1.0),
        min(y + half_y, HEIGHT_PX - 1.0),
    )


def _paint_prop(frame: Frame, prop: Prop, time_s: float) -> None:
    left, top, right, bottom = (round(side) for side in box_of_prop(prop, time_s))
    opens = prop.opens(time_s)
    if prop.kind == "net":
        cv2.rectangle(
            frame, (left, top), (right, bottom), _BRIGHT if opens else (205, 205, 205), -1
        )
        cv2.rectangle(frame, (left, top), (right, bottom), _YELLOW if opens else _BRIGHT, 2)
    elif prop.kind == "chalk":
        centre = ((left + right) // 2, (top + bottom) // 2)
        radius = (right - left) // 2
        cv2.circle(frame, centre, radius, _BRIGHT, -1 if opens else 2, cv2.LINE_AA)
        if opens:
            cv2.circle(frame, centre, radius // 2, _DARK, 3, cv2.LINE_AA)
    elif prop.kind == "card":
        cv2.rectangle(frame, (left, top), (right, bottom), _YELLOW, -1)
        cv2.rectangle(frame, (left, top), (right, bottom), _DARK, 3 if opens else 1)
    else:
        cv2.rectangle(frame, (left, top), (right, bottom), (30, 30, 34), -1)
        cv2.rectangle(frame, (left, top), (right, bottom), _BRIGHT, 4 if opens else 1)
        scale = 0.68 if opens else 0.55
        for number, x, colour in zip(
            prop.numbers, (left + 6, (left + right) // 2 + 3), ((255, 70, 60), (70, 255, 90)),
            strict=True,
        ):  # fmt: skip
            place = (x, (top + bottom) // 2 + round(9 * scale))
            cv2.putText(frame, str(number), place, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 1)


def _pitch(look: Look, rng: random.Random) -> Frame:
    """The pitch without anybody on it."""
    whole = paint_field(look.field, rng)
    frame = np.asarray(
        cv2.resize(whole, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
    _lines(frame, [(LEFT_PX, TOP_PX), (RIGHT_PX, TOP_PX), (RIGHT_PX, BOTTOM_PX),
                   (LEFT_PX, BOTTOM_PX), (LEFT_PX, TOP_PX)])  # fmt: skip
    _lines(frame, [(MIDDLE[0], TOP_PX), (MIDDLE[0], BOTTOM_PX)])
    cv2.circle(frame, (round(MIDDLE[0]), round(MIDDLE[1])), 24, _LINE, 1, cv2.LINE_AA)
    for line, way in ((LEFT_PX, -1), (RIGHT_PX, 1)):
        _lines(frame, [(line, 54), (line - way * 44, 54), (line - way * 44, 126), (line, 126)])
        near, far = sorted((round(line), round(line + way * NET_PX)))
        top, bottom = round(MIDDLE[1] - POST_PX), round(MIDDLE[1] + POST_PX)
        cv2.rectangle(frame, (near, top), (far, bottom), (96, 104, 98), -1)
        for x in range(near, far, 4):
            cv2.line(frame, (x, top), (x, bottom), (140, 146, 140), 1)
        cv2.rectangle(frame, (near, top), (far, bottom), _LINE, 1)
        for y in (TOP_PX, BOTTOM_PX):
            corner = (round(line), round(y))
            cv2.circle(frame, corner, 8, _LINE, 1, cv2.LINE_AA)
            cv2.rectangle(frame, corner, (corner[0] + 4, corner[1] - 5), (230, 90, 40), -1)
    return frame


def _lines(frame: Frame, places: Sequence[Place]) -> None:
    points = np.round(np.array(places)).astype(np.int32)
    cv2.polylines(frame, [points], isClosed=False, color=_LINE, thickness=1, lineType=cv2.LINE_AA)


def _still(kind: Kind, colour: Colour, place: Place, radius_px: float) -> Actor:
    pose = Pose(*place, radius_px)
    return Actor(Shape(kind, colour, "small", "still"), pose, pose)
