"""A face's eyes: how far they are open, and where in them the iris is.

Source: Ablavatski et al., Real-time Pupil Tracking from Monocular Video for Digital Puppetry, 2020.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from kairos_lib.analyzers.faces.face import Eye
from kairos_lib.analyzers.faces.mesh import LEFT_EYE, RIGHT_EYE
from kairos_lib.analyzers.faces.nets import Crop, Net

INPUT_PX = 64
MARGIN = 2.3
"""Side of the square that the network gets, in widths of an eye."""
LEFT_LIDS = (159, 145)
"""Points of the mesh in the middle of the upper and the lower lid of the picture's left eye."""
RIGHT_LIDS = (386, 374)


class Iris:
    """The network of the iris.

    Args:
        path: `iris_landmark.tflite`.
    """

    def __init__(self, path: Path) -> None:
        self._net = Net(path, ("output_iris",))

    def centre(self, image: np.ndarray, left: np.ndarray, right: np.ndarray, mirrored: bool) -> (
        np.ndarray
    ):  # fmt: skip
        """The middle of an iris in pixels of the picture, shape (2,).

        Args:
            image: BGR, shape (height, width, 3), uint8.
            left: The eye's left corner in the picture, shape (2,).
            right: Its right corner.
            mirrored: Whether it is the picture's right eye: the network knows left ones.
        """
        along = right - left
        side = MARGIN * float(np.hypot(*along))
        roll = math.atan2(along[1], along[0])
        crop = Crop((left + right) / 2, max(side, 1.0), roll, INPUT_PX, mirrored)
        (found,) = self._net.run(crop.of(image))
        middle: np.ndarray = crop.back(found.reshape(-1, 3)[:1, :2].astype(np.float64))[0]
        return middle


def eyes(points: np.ndarray, image: np.ndarray, iris: Iris | None) -> tuple[Eye, Eye]:
    """The picture's left eye and its right one.

    Args:
        points: Of the mesh, shape (468, 3).
        image: BGR, shape (height, width, 3), uint8.
        iris: Finds irises; None for eyes without.
    """
    flat = points[:, :2]
    return (
        _eye(flat[list(LEFT_EYE)], flat[list(LEFT_LIDS)], image, iris, mirrored=False),
        _eye(flat[list(RIGHT_EYE)], flat[list(RIGHT_LIDS)], image, iris, mirrored=True),
    )


def _eye(
    corners: np.ndarray, lids: np.ndarray, image: np.ndarray, iris: Iris | None, mirrored: bool
) -> Eye:
    height, width = image.shape[:2]
    left, right = corners
    along = right - left
    # Corners that fall together are no eye that can be measured; a pixel keeps numbers finite.
    length = max(1.0, float(np.hypot(*along)))
    across = along / length
    down = np.array([-across[1], across[0]])
    place: tuple[float, float] | None = None
    if iris is not None:
        away = iris.centre(image, left, right, mirrored) - (left + right) / 2
        place = (float(away @ across) / length, float(away @ down) / length)
    return Eye(
        corners=(left[0] / width, left[1] / height, right[0] / width, right[1] / height),
        openness=max(0.0, float((lids[1] - lids[0]) @ down)) / length,
        iris=place,
    )
