"""A face's 468 points, and from them which way the head is turned.

Source: Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs,
2019; the places of the points used here are those of MediaPipe's canonical face model (Apache-2.0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kairos_lib.analyzers.faces.detector import Found
from kairos_lib.analyzers.faces.nets import Crop, Net

INPUT_PX = 192
POINTS = 468
MARGIN = 1.5
"""Side of the square that the network gets, in lengths of a detected face."""
SURE = 0.0
"""Logit of the network's own score from which there is a face in the square (0.5)."""

# Points of the mesh. "Left" and "right" are the picture's.
LEFT_EYE = (33, 133)
"""Outer and inner corner."""
RIGHT_EYE = (362, 263)
"""Inner and outer corner."""
NOSE_BOTTOM = 2
RIGID_CM = {
    2: (0.0, -2.089024, 6.058267),
    4: (0.0, -0.463170, 7.586580),
    6: (0.0, 2.473255, 5.788627),
    10: (0.0, 8.261778, 4.481535),
    168: (0.0, 3.271027, 5.236015),
    33: (-4.445859, 2.663991, 3.173422),
    133: (-1.856432, 2.585245, 3.757904),
    362: (1.856432, 2.585245, 3.757904),
    263: (4.445859, 2.663991, 3.173422),
    127: (-7.743095, 2.364999, -2.005167),
    356: (7.743095, 2.364999, -2.005167),
    234: (-7.664182, 0.673132, -2.435867),
    454: (7.664182, 0.673132, -2.435867),
}
"""Points of the canonical face that neither mouth nor eyelids move: nose, forehead, corners of the
eyes, temples. x to the picture's right, y up, z towards the camera."""


@dataclass(frozen=True)
class Pose:
    """Which way a head is turned, in degrees; 0 faces the camera."""

    yaw_deg: float
    """Positive where the nose points to the picture's right."""
    pitch_deg: float
    """Positive where it points up."""
    roll_deg: float
    """Positive where the head leans clockwise in the picture."""


class Mesh:
    """The network of the face's points.

    Args:
        path: `face_landmark.tflite`.
    """

    def __init__(self, path: Path) -> None:
        self._net = Net(path, ("conv2d_21", "conv2d_31"))

    def points(self, image: np.ndarray, face: Found) -> np.ndarray | None:
        """The points in pixels of the picture; None if the network sees no face there.

        That is often so for a face of less than 30 pixels.

        Args:
            image: BGR, shape (height, width, 3), uint8.
            face: Where to look.

        Returns:
            Shape (468, 3): x to the right, y down, depth away from the camera, all in pixels.
        """
        eyes = face.points[1] - face.points[0]
        centre = (face.box[:2] + face.box[2:]) / 2
        side = MARGIN * float(max(face.box[2:] - face.box[:2]))
        crop = Crop(centre, side, math.atan2(eyes[1], eyes[0]), INPUT_PX)
        found, score = self._net.run(crop.of(image))
        if score[0] < SURE:
            return None
        points = found.reshape(POINTS, 3).astype(np.float64)
        return np.column_stack([crop.back(points[:, :2]), points[:, 2] * crop.scale])


def pose(points: np.ndarray) -> Pose:
    """A head's pose: the turn that takes the canonical face's rigid points to those of the mesh.

    The best one by least squares (Umeyama, Least-Squares Estimation of Transformation Parameters
    Between Two Point Patterns, 1991). OpenCV's `solvePnP` gets it from the points' places alone,
    for which it must be told the lens; on a portrait that looks into the camera it found a nod of
    20°, and this, which uses the mesh's depth, one of 5°.

    Args:
        points: Of the mesh, shape (468, 3).
    """
    # The canonical face has y up and z to the camera, the mesh the opposite of both.
    model = np.array(list(RIGID_CM.values())) * (1, -1, -1)
    seen = points[list(RIGID_CM)]
    left, _, right = np.linalg.svd((seen - seen.mean(axis=0)).T @ (model - model.mean(axis=0)))
    handed = np.sign(np.linalg.det(left @ right))
    rotation = left @ np.diag([1, 1, handed]) @ right
    nose = -rotation[:, 2]
    return Pose(
        yaw_deg=math.degrees(math.atan2(nose[0], -nose[2])),
        pitch_deg=math.degrees(math.atan2(-nose[1], math.hypot(nose[0], nose[2]))),
        roll_deg=math.degrees(math.atan2(rotation[1, 0], rotation[0, 0])),
    )
