"""InstructBLIP: a Q-Former that is told the question, and a Vicuna.

Source: Dai et al., "InstructBLIP: Towards General-purpose Vision-Language Models with Instruction
Tuning", 2023.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kairos_lib.vlm.adapter import Request
from kairos_lib.vlm.transformers_adapter import TransformersAdapter


class Family(TransformersAdapter):
    """It sees one picture: the frames side by side, from left to right in the order of time."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "InstructBlipForConditionalGeneration"
    processor_class: ClassVar[str] = "InstructBlipProcessor"
    connectors: ClassVar[frozenset[str]] = frozenset(
        {"qformer", "query_tokens", "language_projection"}
    )

    def worded(self, requests: list[Request]) -> list[str]:
        """The words alone: it was trained without a chat template."""
        return [request.prompt for request in requests]

    def tensors(self, requests: list[Request]) -> Any:
        """A panorama for each request; the Q-Former reads the first 512 tokens of a prompt."""
        from PIL import Image

        return self.processed(
            requests,
            images=[Image.fromarray(panorama(request.images)) for request in requests],
            truncation=True,
        )

    def visual_token_ids(self) -> list[int]:
        """What holds the Q-Former's places."""
        return [self.model.config.image_token_index]


def panorama(images: tuple[np.ndarray, ...]) -> np.ndarray:
    """Frames of one height side by side; (height, sum of widths, 3)."""
    return np.concatenate(images, axis=1)
