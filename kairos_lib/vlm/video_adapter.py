"""Shared code of families that take the frames of a scene as one video."""

from __future__ import annotations

from typing import Any

import numpy as np

from kairos_lib.vlm.adapter import Request
from kairos_lib.vlm.transformers_adapter import TransformersAdapter

# Frames are identified by their times, in milliseconds from the scene's first.
TICKS_PER_S = 1000


class VideoAdapter(TransformersAdapter):
    """A transformers model with a video processor."""

    def conversation(self, request: Request) -> list[dict[str, Any]]:
        """One user turn: the video, then the text."""
        words = {"type": "text", "text": request.prompt}
        return [{"role": "user", "content": [{"type": "video"}, words]}]

    def tensors(self, requests: list[Request]) -> Any:
        """Frames as they were sampled: the processor must not choose among them."""
        return self.processed(
            requests,
            videos=[np.stack(request.images) for request in requests],
            do_sample_frames=False,
            video_metadata=[_metadata(request) for request in requests],
        )

    def visual_token_ids(self) -> list[int]:
        """The video's placeholder."""
        return [self.model.config.video_token_id]


def _metadata(request: Request) -> dict[str, Any]:
    """When each frame is shown."""
    first_s = request.frame_times_s[0]
    ticks = [round((time_s - first_s) * TICKS_PER_S) for time_s in request.frame_times_s]
    return {
        "total_num_frames": ticks[-1] + 1,
        "fps": TICKS_PER_S,
        "duration": (ticks[-1] + 1) / TICKS_PER_S,
        "frames_indices": ticks,
        "height": request.images[0].shape[0],
        "width": request.images[0].shape[1],
    }
