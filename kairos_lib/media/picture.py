"""One decoded frame as an upright array with square pixels and right colours.

Knows nothing of files or times. A frame must not be converted by two threads at once: swscale gets
the frame's colour tags by a temporary change of them during the call.
"""

from __future__ import annotations

import struct
import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import av
    from av.video.reformatter import VideoReformatter

SQUARE = Fraction(1)
MAX_PIXEL_ASPECT = 8
"""A pixel stretched more than this means a broken header: real ones reach 4 (double anamorphic)."""

# Matrices of ISO/IEC 23091-2 that swscale can turn into RGB; constant-luminance BT.2020 (10) is
# read as the usual one, which differs only in saturated edges.
KNOWN_MATRICES = {0, 1, 4, 5, 6, 7, 9}
BT2020_CONSTANT_LUMINANCE = 10
# How players treat an untagged video: above standard definition (576 lines) as BT.709, else as
# BT.601. swscale's own default is BT.601 for all.
SD_MAX_WIDTH_PX = 1279
SD_MAX_HEIGHT_PX = 576

Matrix = tuple[int, int, int, int]
UPRIGHT: Matrix = (1, 0, 0, 1)


def scaled_size(width: int, height: int, longest_px: int | None) -> tuple[int, int]:
    """Width and height after the longer side is brought down to a length; never enlarged."""
    scale = min(1.0, longest_px / max(width, height)) if longest_px else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


class _Scalers(threading.local):
    """swscale's contexts of one thread.

    Creating one costs as much as scaling a small frame, and by default PyAV creates one for every
    frame.
    """

    def __init__(self) -> None:
        self._by_target: dict[tuple[int, int, str, str], VideoReformatter] = {}

    def of(self, target: tuple[int, int, str, str]) -> Any:
        """The context for a width, a height, an order of colours and an interpolation."""
        if target not in self._by_target:
            from av.video.reformatter import VideoReformatter

            self._by_target[target] = VideoReformatter()
        return self._by_target[target]


_scalers = _Scalers()


def display_size(frame: av.VideoFrame, pixel_aspect: Fraction | None = SQUARE) -> tuple[int, int]:
    """Width and height of a frame as it is to be shown.

    Anamorphic pixels are made square by scaling the width, the height staying as it is, as every
    player does. A decoded frame does not know its pixels' shape, its stream does.

    Args:
        frame: The frame, as decoded.
        pixel_aspect: Width of a pixel over its height.
    """
    width = max(1, round(frame.width * sane_aspect(pixel_aspect)))
    if _is_lying(_matrix(frame)):
        return frame.height, width
    return width, frame.height


def sane_aspect(pixel_aspect: Fraction | None) -> Fraction:
    """A stream's pixel aspect, or that of square pixels where it says nothing or nonsense."""
    if not pixel_aspect or not 1 / MAX_PIXEL_ASPECT <= pixel_aspect <= MAX_PIXEL_ASPECT:
        return SQUARE
    return pixel_aspect


def upright(
    frame: av.VideoFrame, width: int, height: int, colour: str, interpolation: str
) -> np.ndarray:
    """A frame scaled, turned and mirrored as it is to be shown.

    Args:
        frame: The frame, as decoded.
        width: Wanted width, after turning.
        height: Wanted height, after turning.
        colour: `rgb24`, `bgr24` or `gray`.
        interpolation: A name of swscale's, such as `BILINEAR`.

    Returns:
        Shape (height, width, 3), or (height, width) in grey, uint8, contiguous.
    """
    matrix = _matrix(frame)
    lying = _is_lying(matrix)
    stored_width, stored_height = (height, width) if lying else (width, height)
    # swscale scales the two fields of an interlaced frame each by itself and weaves them again,
    # so combs survive at any size. Twice the height and every other row is the first field alone:
    # one moment, for the price of a reformat; blending both would show everything twice.
    fields = 2 if frame.interlaced_frame else 1
    scaled = _scalers.of((stored_width, stored_height, colour, interpolation)).reformat(
        frame,
        width=stored_width,
        height=stored_height * fields,
        format=colour,
        src_colorspace=_colourspace(frame),
        interpolation=interpolation,
        threads=1,
    )
    image: np.ndarray = scaled.to_ndarray()[::fields]
    return np.ascontiguousarray(_turn(image, matrix))


def stored_grey(frame: av.VideoFrame) -> np.ndarray:
    """A frame's brightness as it is stored: neither scaled, nor turned, nor with square pixels.

    What a codec leaves, such as the edges of its blocks, is where the codec put it only here. Of an
    interlaced frame the first field.

    Args:
        frame: The frame, as decoded.

    Returns:
        Shape (height, width), uint8, from 0 (black) to 255 (white).
    """
    target = (frame.width, frame.height, "gray", "BICUBIC")
    grey = _scalers.of(target).reformat(frame, format="gray", threads=1).to_ndarray()
    return np.ascontiguousarray(grey[:: 2 if frame.interlaced_frame else 1])


def rotation_deg(frame: av.VideoFrame) -> int:
    """Counter-clockwise turn that makes a frame upright, to the nearest quarter: 0 to 270."""
    return round(frame.rotation / 90) % 4 * 90


def _colourspace(frame: av.VideoFrame) -> str | None:
    """What to tell swscale of a frame's matrix; nothing where the frame's own tag will do."""
    if frame.format.is_rgb or frame.colorspace in KNOWN_MATRICES:
        return None
    if frame.colorspace == BT2020_CONSTANT_LUMINANCE:
        return "bt2020"
    high = frame.width > SD_MAX_WIDTH_PX or frame.height > SD_MAX_HEIGHT_PX
    return "itu709" if high else "itu601"


def _matrix(frame: av.VideoFrame) -> Matrix:
    """The part of the display matrix that turns and mirrors: x' = ax + cy, y' = bx + dy."""
    beside: Any = frame.side_data
    data = beside.get("DISPLAYMATRIX")
    if data is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
    return a, b, c, d


def _is_lying(matrix: Matrix) -> bool:
    """Whether rows become columns."""
    a, b, c, d = matrix
    return abs(b) + abs(c) > abs(a) + abs(d)


def _turn(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Turn to the nearest quarter and mirror; a view of the image."""
    a, b, c, d = matrix
    if _is_lying(matrix):
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
