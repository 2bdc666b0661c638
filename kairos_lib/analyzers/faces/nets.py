"""Small networks in TensorFlow Lite's format, run by OpenCV one picture at a time.

Knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.measure import threads

NEUTRAL_GREY = 127
"""What lies outside the picture in a crop."""


class Net:
    """One network.

    Args:
        path: A `.tflite` file.
        outputs: Names of the outputs that are wanted, in order.
        low: What black becomes; white becomes 1.

    Raises:
        KairosError: The file is missing, damaged, or another network's.
    """

    def __init__(self, path: Path, outputs: Sequence[str], low: float = 0.0) -> None:
        import cv2

        if not path.is_file():
            raise KairosError(f"the weights of faces have no {path.name}: they belong into {path}")
        threads.one_of_opencv()
        self._path = path
        self._outputs = list(outputs)
        self._low = low
        try:
            self._net: Any = cv2.dnn.readNetFromTFLite(str(path))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise KairosError(f"cannot load {path}: it is damaged ({reason})") from error
        known = set(self._net.getUnconnectedOutLayersNames())
        if missing := sorted(set(outputs) - known):
            raise KairosError(f"cannot load {path}: it is another network's, without {missing[0]}")

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        """The outputs, flat.

        Args:
            image: BGR, of the network's own size, shape (height, width, 3), uint8.

        Raises:
            KairosError: They are NaN or infinite.
        """
        scaled = image[:, :, ::-1].astype(np.float32) * ((1 - self._low) / 255) + self._low
        self._net.setInput(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))
        found = [np.asarray(one).ravel() for one in self._net.forward(self._outputs)]
        if not all(np.isfinite(one).all() for one in found):
            raise KairosError(f"the results of {self._path} are NaN or infinite: it is damaged")
        return found


class Crop:
    """A square cut out of a picture, upright, with the way back.

    Args:
        centre: In pixels of the picture.
        side: In pixels of the picture.
        roll_rad: How far the square is turned clockwise.
        size: Side of what is cut out, in its own pixels.
        mirrored: Whether left and right change places.
    """

    def __init__(
        self,
        centre: np.ndarray,
        side: float,
        roll_rad: float,
        size: int,
        mirrored: bool = False,
    ) -> None:
        scale = side / size
        cos, sin = np.cos(roll_rad) * scale, np.sin(roll_rad) * scale
        turn = np.array([[cos, -sin], [sin, cos]])
        if mirrored:
            turn[:, 0] = -turn[:, 0]
        self.size = size
        self.scale = scale
        """Pixels of the picture for one of the crop."""
        self._turn = turn
        self._shift = centre - turn @ np.full(2, size / 2)

    def of(self, image: np.ndarray) -> np.ndarray:
        """The pixels, shape (size, size, 3), uint8."""
        import cv2

        # Pixel centres are at halves: the matrix takes whole numbers to whole numbers.
        shift = self._shift + self._turn @ np.full(2, 0.5) - 0.5
        return cv2.warpAffine(
            image,
            np.column_stack([self._turn, shift]),
            (self.size, self.size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(NEUTRAL_GREY,) * 3,
        )

    def back(self, points: np.ndarray) -> np.ndarray:
        """Points of the crop in pixels of the picture, shape (n, 2)."""
        placed: np.ndarray = points @ self._turn.T + self._shift
        return placed
