"""LLaVA-NeXT-Video: LLaVA-NeXT whose frames are pooled and read as one video.

Source: Zhang et al., "LLaVA-NeXT: A Strong Zero-shot Video Understanding Model", 2024.
"""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.vlm.video_adapter import VideoAdapter


class Family(VideoAdapter):
    """Frames as one video."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "LlavaNextVideoForConditionalGeneration"
    processor_class: ClassVar[str] = "LlavaNextVideoProcessor"
