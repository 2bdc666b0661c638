"""Finds faces in a picture: BlazeFace's full-range model, decoded as its model card says.

Source: "MediaPipe Face Detection, Full Range", model card of 2021, and Bazarevsky et al.,
BlazeFace, 2019. One anchor for each cell of 4 × 4 pixels, in its middle and as large as the
picture; boxes and points are offsets from it in pixels of the network's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kairos_lib.analyzers.faces.nets import NEUTRAL_GREY, Net

INPUT_PX = 192
STRIDE_PX = 4
POINTS = 6
"""Eyes (the picture's left one first), tip of the nose, mouth, ears."""
SATURATED = 80.0
"""Scores are clipped here before the sigmoid: in float32, exp overflows beyond 88.7."""
SAME_FACE = 0.3
"""Boxes that overlap more (intersection over union) are one face: their mean, by score, is taken
(BlazeFace, section 3.3: steadier from frame to frame than the best one alone)."""
CANDIDATES = 1000
"""Cells that are looked at; a face has some ten of them."""


@dataclass(frozen=True)
class Found:
    """A face in a picture; everything in pixels of it."""

    box: np.ndarray
    """Left, top, right, bottom: from the eyebrows to the chin."""
    score: float
    points: np.ndarray
    """Shape (6, 2): see `POINTS`."""


class Detector:
    """The network with its decoding.

    Args:
        path: `face_detection_full_range.tflite`.
        min_score: What counts as a face.
    """

    def __init__(self, path: Path, min_score: float) -> None:
        self._net = Net(path, ("reshaped_classifier_face_4", "reshaped_regressor_face_4"), low=-1.0)
        self._min_score = min_score
        middles = (np.arange(INPUT_PX // STRIDE_PX) + 0.5) * STRIDE_PX
        x, y = np.meshgrid(middles, middles)
        self._anchors = np.column_stack([x.ravel(), y.ravel()])

    def find(self, image: np.ndarray) -> list[Found]:
        """All faces, the largest first.

        Args:
            image: BGR, shape (height, width, 3), uint8, of any size.
        """
        fitted, scale, left, top = _fitted(image)
        logits, numbers = self._net.run(fitted)
        scores = 1 / (1 + np.exp(-np.clip(logits, -SATURATED, SATURATED)))
        # A stable order, so that the same picture always gives the same faces.
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        order = order[scores[order] >= self._min_score]
        pairs = numbers.reshape(-1, 2 + POINTS, 2)[order].astype(np.float64)
        anchors = self._anchors[order]
        middle, half = pairs[:, 0] + anchors, pairs[:, 1] / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        points = pairs[:, 2:] + anchors[:, None]
        kept = _merged(boxes, points.reshape(len(order), 2 * POINTS), scores[order])
        shift = np.array([left, top])
        faces = [
            Found(
                box=((box.reshape(2, 2) - shift) / scale).ravel(),
                score=score,
                points=(own.reshape(POINTS, 2) - shift) / scale,
            )
            for box, own, score in kept
        ]
        return sorted(faces, key=lambda face: -_area(face.box))


def _fitted(image: np.ndarray) -> tuple[np.ndarray, float, int, int]:
    """The whole picture in the network's square, with its scale and the margins left and above."""
    import cv2

    height, width = image.shape[:2]
    scale = INPUT_PX / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA)
    left, top = (INPUT_PX - new_width) // 2, (INPUT_PX - new_height) // 2
    square = np.full((INPUT_PX, INPUT_PX, 3), NEUTRAL_GREY, np.uint8)
    square[top : top + new_height, left : left + new_width] = smaller
    return square, scale, left, top


def _area(box: np.ndarray) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with others, shape (n,)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    union = areas + _area(box) - shared
    shares: np.ndarray = np.divide(shared, union, out=np.zeros(len(boxes)), where=union > 0)
    return shares


def _merged(
    boxes: np.ndarray, points: np.ndarray, scores: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """One of each group of boxes that overlap, the most certain first.

    Args:
        boxes: Shape (n, 4), by falling score.
        points: Shape (n, 12).
        scores: Shape (n,).
    """
    left = np.arange(len(boxes))
    kept = []
    while len(left):
        same = overlaps(boxes[left[0]], boxes[left]) > SAME_FACE
        same[0] = True  # A box without an area overlaps nothing, itself included.
        group = left[same]
        weights = scores[group] / scores[group].sum()
        kept.append((weights @ boxes[group], weights @ points[group], float(scores[group[0]])))
        left = left[~same]
    return kept
