"""An age estimated from a face: a small model's guess, no more.

Cydral's age predictor for dlib (CC0): a ResNet of ten layers trained on some 110,000 faces, for
ages up to 80. What it says of one person differs by more than ten years from picture to
picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kairos_lib.analyzers.faces.mesh import LEFT_EYE, NOSE_BOTTOM, RIGHT_EYE
from kairos_lib.errors import KairosError

INPUT_PX = 64
PADDING = 0.2
"""Margin that the model was trained with, as a share of the inner square."""
CHIP = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""Where dlib puts a face's five points in the inner square (`get_face_chip_details`): corners of
the picture's right eye, outer first, of its left eye, outer first, and the bottom of the nose."""
CHIP_POINTS = (RIGHT_EYE[1], RIGHT_EYE[0], LEFT_EYE[0], LEFT_EYE[1], NOSE_BOTTOM)
MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 256
"""dlib's own normalization (`input_rgb_image_sized`)."""
YEARS = np.array([0.25, *range(1, 81)])
"""Ages of the model's classes; the first is a baby's."""


class Age:
    """The model, with one thread.

    Args:
        path: `age-v1.onnx`.

    Raises:
        KairosError: The file is missing, damaged, or another model's.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        if not path.is_file():
            raise KairosError(f"the weights of faces have no {path.name}: they belong into {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._path = path
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            (self._input,) = (one.name for one in self._session.get_inputs())
        except Exception as error:  # onnxruntime's errors have no common class.
            reason = str(error).strip().splitlines()[0]
            raise KairosError(f"cannot load {path}: {reason}") from error

    def years(self, image: np.ndarray, faces: Sequence[np.ndarray]) -> list[float]:
        """Expected ages.

        Args:
            image: BGR, shape (height, width, 3), uint8.
            faces: Points of the mesh of each face, shape (468, 3).

        Raises:
            KairosError: The model's results are no probabilities of ages.
        """
        if not faces:
            return []
        chips = np.stack([_chip(image, points) for points in faces])
        (found,) = self._session.run(None, {self._input: chips})
        if found.shape != (len(faces), len(YEARS)) or not np.isfinite(found).all():
            raise KairosError(f"the results of {self._path} are no probabilities of ages")
        return [float(one) for one in found.astype(np.float64) @ YEARS]


def _chip(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A face as the model was trained on, RGB, shape (3, 64, 64), float32."""
    import cv2

    target = (PADDING + CHIP) / (2 * PADDING + 1) * INPUT_PX
    seen = points[list(CHIP_POINTS), :2]
    # Turn, scale and shift of least squares, as one complex factor.
    one = (seen - seen.mean(axis=0)) @ (1, 1j)
    other = (target - target.mean(axis=0)) @ (1, 1j)
    factor = (one.conj() @ other) / max(1e-9, float((abs(one) ** 2).sum()))
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    shift = target.mean(axis=0) - turn @ seen.mean(axis=0)
    chip = cv2.warpAffine(image, np.column_stack([turn, shift]), (INPUT_PX, INPUT_PX))
    rgb = (chip[:, :, ::-1].astype(np.float32) - np.array(MEAN_RGB, np.float32)) / SCALE
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))
