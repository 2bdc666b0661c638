"""Qwen2-VL and Qwen2.5-VL: frames at their own resolution, merged two by two in time.

Sources: Wang et al., "Qwen2-VL", 2024; Bai et al., "Qwen2.5-VL Technical Report", 2025.
"""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.vlm.video_adapter import VideoAdapter


class Family(VideoAdapter):
    """Frames as one video; the checkpoint says which of the two models it is."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "AutoModelForImageTextToText"
    processor_settings: ClassVar[frozenset[str]] = frozenset({"min_pixels", "max_pixels"})
