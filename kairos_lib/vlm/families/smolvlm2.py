"""SmolVLM2: a small model whose frames are one tile each; it runs on a CPU.

Source: Marafioti et al., "SmolVLM: Redefining small and efficient multimodal models", 2025.
"""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.vlm.video_adapter import VideoAdapter


class Family(VideoAdapter):
    """Frames as one video: as pictures, each would be cut into many tiles."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "SmolVLMForConditionalGeneration"
    processor_class: ClassVar[str] = "SmolVLMProcessor"

    def visual_token_ids(self) -> list[int]:
        """The model treats a video's frames as pictures."""
        return [self.model.config.image_token_id]
