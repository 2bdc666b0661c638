"""Phi-3.5-Vision: numbered pictures in crops of 336×336, and Phi-3 with a long context.

Source: Abdin et al., "Phi-3 Technical Report", 2024; the model itself is in `vlm/phi35/`.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from kairos_lib.vlm.adapter import Request
from kairos_lib.vlm.transformers_adapter import TransformersAdapter

# The model card's: 4 where there are several pictures.
NUM_CROPS = 4
END = "<|end|>"


class Family(TransformersAdapter):
    """Two frames as two numbered pictures, in the order of time."""

    version: ClassVar[int] = 1
    processor_settings: ClassVar[frozenset[str]] = frozenset({"num_crops"})
    # Including the separators between rows and between pictures.
    connectors: ClassVar[frozenset[str]] = frozenset({"img_projection", "glb_GN", "sub_GN"})

    def load_processor(self, path: str) -> Any:
        """The tokenizer alone: the rest of the checkpoint's processor is remote code."""
        from transformers import PreTrainedTokenizerFast

        return SimpleNamespace(
            tokenizer=PreTrainedTokenizerFast.from_pretrained(path, trust_remote_code=False)
        )

    def load_model(self, path: str, **options: Any) -> Any:
        """Our own model class with the original's files."""
        from kairos_lib.vlm.phi35.configuration import read_config
        from kairos_lib.vlm.phi35.modeling import Phi35ForConditionalGeneration

        config = read_config(Path(path))
        return self.with_weights(Phi35ForConditionalGeneration, path, config, **options)

    def ends(self) -> tuple[int, ...]:
        """The token that ends a turn; not every revision's generation config has it."""
        end = self.processor.tokenizer.convert_tokens_to_ids(END)
        return () if end is None else (end,)

    def worded(self, requests: list[Request]) -> list[str]:
        """The pictures' tags, one per line, then the text."""
        from kairos_lib.vlm.phi35.prompts import tags

        return [
            self.processor.tokenizer.apply_chat_template(
                [{"role": "user", "content": tags(len(request.images)) + request.prompt}],
                add_generation_prompt=True,
                tokenize=False,
            )
            for request in requests
        ]

    def tensors(self, requests: list[Request]) -> Any:
        """Ids with placeholders for the pictures, and the pictures of all requests in order."""
        from PIL import Image
        from transformers import BatchFeature

        from kairos_lib.vlm.phi35.pictures import pictures_of
        from kairos_lib.vlm.phi35.prompts import input_ids, padded

        tokenizer = self.processor.tokenizer
        images = [Image.fromarray(image) for request in requests for image in request.images]
        pictures = pictures_of(images, int(self.settings.processor.get("num_crops", NUM_CROPS)))
        rows = []
        first = 0
        for request, text in zip(requests, self.worded(requests), strict=True):
            tokens = pictures.tokens[first : first + len(request.images)]
            rows.append(input_ids(tokenizer, text, tokens, self.model.config.image_token_id))
            first += len(tokens)
        ids, mask = padded(rows, tokenizer.pad_token_id)
        return BatchFeature(
            {
                "input_ids": ids,
                "attention_mask": mask,
                "pixel_values": pictures.pixel_values,
                "image_sizes": pictures.image_sizes,
            }
        )
