"""Where each shape of a scene starts and where it goes. Knows geometry, and no pixels' colours."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise

from kairos_lib.nano.world import HEIGHT_PX, WIDTH_PX, Motion, Scene, Shape

# Shapes keep off the lower margin, where text on the screen stands.
FLOOR_PX = HEIGHT_PX - 36
EDGE_PX = 6

_RADIUS_PX = {"small": (29.0, 36.0), "large": (54.0, 64.0)}
# The motion of a whole scene. A caption must be right from the first and the middle frame,
# so half of each has to be plain to see in an image of 112 pixels.
_ACROSS_PX = (190.0, 280.0)
_UPRIGHT_PX = (110.0, 150.0)
_GROWTH = {"small": 2.1, "large": 1.65}
# The order from left to right names the shapes, so neighbours start clearly apart.
_ORDER_GAP_PX = 60.0


class NoRoomError(ValueError):
    """The shapes of a scene do not fit beside one another for as long as it lasts."""


@dataclass(frozen=True)
class Pose:
    """Where a shape is at one moment, in pixels of a 640x360 frame."""

    x_px: float
    y_px: float
    radius_px: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the circle around the shape, in pixels."""
        r = self.radius_px
        return (self.x_px - r, self.y_px - r, self.x_px + r, self.y_px + r)


@dataclass(frozen=True)
class Actor:
    """A shape with its way through the scene."""

    shape: Shape
    start: Pose
    end: Pose
    turn_rad: float = 0.0

    def pose(self, progress: float) -> Pose:
        """Where the shape is when `progress` (0 to 1) of the scene has passed."""
        a, b = self.start, self.end
        return Pose(
            a.x_px + (b.x_px - a.x_px) * progress,
            a.y_px + (b.y_px - a.y_px) * progress,
            a.radius_px + (b.radius_px - a.radius_px) * progress,
        )


def stage(scene: Scene, rng: random.Random, *, tries: int = 400) -> tuple[Actor, ...]:
    """Give every shape of a scene its place and its way.

    No two shapes ever touch, none leaves the frame, and their order from left to right in the
    first frame is that of `scene.shapes`.

    Raises:
        NoRoomError: After `tries` draws without such a staging.
    """
    for _ in range(tries):
        actors = [_actor(shape, rng) for shape in scene.shapes]
        if any(actor is None for actor in actors):
            continue
        placed = [actor for actor in actors if actor is not None]
        # Sorting the places, rather than waiting for draws in order, would mix up the sizes.
        if all(b.start.x_px - a.start.x_px >= _ORDER_GAP_PX for a, b in pairwise(placed)) and all(
            _apart(a, b) for i, a in enumerate(placed) for b in placed[i + 1 :]
        ):
            return tuple(placed)
    raise NoRoomError(f"no room for {len(scene.shapes)} such shapes; use smaller or fewer ones")


def _actor(shape: Shape, rng: random.Random) -> Actor | None:
    radius = rng.uniform(*_RADIUS_PX[shape.size])
    end_radius = radius * _GROWTH[shape.size] if shape.motion == "grows" else radius
    dx, dy = _way(shape.motion, rng)
    reach = end_radius + EDGE_PX
    left, right = reach - min(dx, 0.0), WIDTH_PX - reach - max(dx, 0.0)
    top, bottom = reach - min(dy, 0.0), FLOOR_PX - reach - max(dy, 0.0)
    if left > right or top > bottom:
        return None
    x, y = rng.uniform(left, right), rng.uniform(top, bottom)
    return Actor(
        shape,
        Pose(x, y, radius),
        Pose(x + dx, y + dy, end_radius),
        turn_rad=rng.uniform(-0.2, 0.2),
    )


def _way(motion: Motion, rng: random.Random) -> tuple[float, float]:
    across, upright = rng.uniform(*_ACROSS_PX), rng.uniform(*_UPRIGHT_PX)
    ways: dict[Motion, tuple[float, float]] = {
        "left": (-across, 0.0),
        "right": (across, 0.0),
        "up": (0.0, -upright),
        "down": (0.0, upright),
    }
    return ways.get(motion, (0.0, 0.0))


def _apart(a: Actor, b: Actor) -> bool:
    for step in range(9):
        p, q = a.pose(step / 8), b.pose(step / 8)
        if math.hypot(p.x_px - q.x_px, p.y_px - q.y_px) < (p.radius_px + q.radius_px) + 6.0:
            return False
    return True
