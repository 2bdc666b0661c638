"""Pictures as Phi-3.5-Vision's input: a whole view and up to N crops of 336×336.

Of tokens it knows only how many stand for a picture. Source: the original's image processor,
as published with `microsoft/Phi-3.5-vision-instruct`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kairos_lib.errors import KairosError

if TYPE_CHECKING:
    import torch
    from PIL import Image

CROP_PX = 336
GRID = 12
"""Features along a side of a crop, after CLIP's 24×24 are merged by 2×2."""
WHITE = 255
# CLIP's, https://huggingface.co/openai/clip-vit-large-patch14-336
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Pictures:
    """Several pictures, ready for the vision tower."""

    pixel_values: torch.Tensor
    """Shape (pictures, N + 1, 3, 336, 336): the whole view, the crops row by row, then zeros."""
    image_sizes: torch.Tensor
    """Shape (pictures, 2): height and width of the area that was cut into crops."""
    tokens: tuple[int, ...]
    """Number of tokens for each picture."""


def pictures_of(images: list[Image.Image], num_crops: int) -> Pictures:
    """Scale, pad, normalise and cut.

    Args:
        images: Of any size and mode.
        num_crops: Crops a picture may have at most; 4 for several pictures, 16 for one.

    Raises:
        KairosError: A picture is too long and thin to be scaled.
    """
    import torch

    values, sizes = [], []
    for image in images:
        whole = _normalised(_padded(image.convert("RGB"), num_crops))
        height, width = whole.shape[1:]
        view = torch.nn.functional.interpolate(
            whole[None], size=(CROP_PX, CROP_PX), mode="bicubic", align_corners=False
        )
        rows, columns = height // CROP_PX, width // CROP_PX
        crops = whole.reshape(3, rows, CROP_PX, columns, CROP_PX)
        crops = crops.permute(1, 3, 0, 2, 4).reshape(-1, 3, CROP_PX, CROP_PX)
        rest = torch.zeros(num_crops - len(crops), 3, CROP_PX, CROP_PX)
        values.append(torch.cat([view, crops, rest]))
        sizes.append((height, width))
    return Pictures(
        torch.stack(values), torch.tensor(sizes), tuple(token_count(*size) for size in sizes)
    )


def token_count(height: int, width: int) -> int:
    """Number of tokens for a picture: every row of both maps ends with a separator."""
    rows, columns = GRID * height // CROP_PX, GRID * width // CROP_PX
    return rows * (columns + 1) + 1 + GRID * (GRID + 1)


def crop_size(width: int, height: int, num_crops: int) -> tuple[int, int]:
    """Width and height of the mosaic of crops for a picture.

    Raises:
        KairosError: The picture is so long and thin that its short side would vanish.
    """
    if width < height:
        height, width = crop_size(height, width, num_crops)
        return width, height
    ratio = width / height
    across = 1
    while across * math.ceil(across / ratio) <= num_crops:
        across += 1
    across -= 1
    scaled = int(across * CROP_PX / ratio)
    if scaled < 1:
        raise KairosError(f"a picture of {width}×{height} is too long and thin to be used")
    return across * CROP_PX, math.ceil(scaled / CROP_PX) * CROP_PX


def _padded(image: Image.Image, num_crops: int) -> np.ndarray:
    """Scale to whole crops across and pad to whole crops down, with white; (height, width, 3)."""
    from PIL import Image

    # A portrait picture is transposed for this: mirrored along the diagonal, not rotated.
    upright = image.width < image.height
    if upright:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    width, height = crop_size(image.width, image.height, num_crops)
    scaled_height = int(width / (image.width / image.height))
    scaled = image.resize((width, scaled_height), Image.Resampling.BILINEAR)
    above = (height - scaled_height) // 2
    canvas = Image.new("RGB", (width, height), (WHITE, WHITE, WHITE))
    canvas.paste(scaled, (0, above))
    if upright:
        canvas = canvas.transpose(Image.Transpose.TRANSPOSE)
    return np.asarray(canvas)


def _normalised(pixels: np.ndarray) -> torch.Tensor:
    """To float32 of shape (3, height, width) with CLIP's mean and deviation."""
    import torch

    values = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div(WHITE)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return values.sub(mean).div(std).contiguous()
