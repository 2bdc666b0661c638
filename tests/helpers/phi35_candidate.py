"""Our Phi-3.5-Vision as the specification's `check.py` wants to see it.

Its prompts hold negative ids where pictures are; ours one image token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from kairos_lib.vlm.phi35.configuration import read_config
from kairos_lib.vlm.phi35.modeling import Phi35ForConditionalGeneration
from kairos_lib.vlm.phi35.pictures import pictures_of


class Candidate:
    """The checkpoint of a folder in float32."""

    def __init__(self, folder: str, attention: str = "sdpa") -> None:
        self.model: Any = Phi35ForConditionalGeneration.from_pretrained(
            folder,
            config=read_config(Path(folder)),
            dtype=torch.float32,
            attn_implementation=attention,
        ).eval()

    def preprocess(self, images: list, num_crops: int) -> dict[str, Any]:
        pictures = pictures_of(images, num_crops)
        return {
            "pixel_values": pictures.pixel_values,
            "image_sizes": pictures.image_sizes,
            "num_img_tokens": list(pictures.tokens),
        }

    def _ids(self, ids: torch.Tensor) -> torch.Tensor:
        return ids.masked_fill(ids < 0, self.model.config.image_token_id)

    def forward(
        self, ids: Any, mask: Any, position_ids: Any, pixel_values: Any, image_sizes: Any
    ) -> dict[str, Any]:
        with torch.inference_mode():
            hidden = self.model(
                input_ids=self._ids(ids),
                attention_mask=mask,
                position_ids=position_ids,
                pixel_values=pixel_values,
                image_sizes=image_sizes,
                output_hidden_states=True,
            )
        return {"logits": hidden.logits, "final_hidden": hidden.hidden_states[-1]}

    def generate(
        self, ids: Any, mask: Any, pixel_values: Any, image_sizes: Any, use_cache: bool, new: int
    ) -> torch.Tensor:
        ids = self._ids(ids)
        with torch.inference_mode():
            written = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                pixel_values=pixel_values,
                image_sizes=image_sizes,
                use_cache=use_cache,
                max_new_tokens=new,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=32000,
            )
        return written[:, ids.shape[1] :]


def load(folder: str) -> Candidate:
    """What `check.py` calls."""
    return Candidate(folder)
