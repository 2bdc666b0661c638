"""LLaVA-NeXT (LLaVA-1.6): a CLIP vision tower, tiles of any resolution, and a Llama.

Source: Liu et al., "LLaVA-NeXT: Improved reasoning, OCR, and world knowledge", 2024.
"""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.vlm.transformers_adapter import TransformersAdapter


class Family(TransformersAdapter):
    """Two frames as two images, in the order of time."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "LlavaNextForConditionalGeneration"
    processor_class: ClassVar[str] = "LlavaNextProcessor"
