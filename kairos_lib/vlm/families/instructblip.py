"""InstructBLIP: a Q-Former that reads the question, and a Vicuna.

Source: Dai et al., "InstructBLIP: Towards General-purpose Vision-Language Models with Instruction
Tuning", 2023.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kairos_lib.vlm.adapter import Request
from kairos_lib.vlm.transformers_adapter import TransformersAdapter


class Family(TransformersAdapter):
    """Takes one picture: the frames side by side, from left to right in order of time."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "InstructBlipForConditionalGeneration"
    processor_class: ClassVar[str] = "InstructBlipProcessor"
    connectors: ClassVar[frozenset[str]] = frozenset(
        {"qformer", "query_tokens", "language_projection"}
    )

    def worded(self, requests: list[Request]) -> list[str]:
        """The text alone: the model was trained without a chat template."""
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
        """Placeholder for the Q-Former's outputs."""
        return [self.model.config.image_token_index]


def panorama(images: tuple[np.ndarray, ...]) -> np.ndarray:
    """Frames of one height side by side; (height, sum of widths, 3)."""
    return np.concatenate(images, axis=1)
