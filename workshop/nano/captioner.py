"""Captions scenes of the small world with a trained model, as a user's run would.

Only what the training's own scores and tests need: two frames a scene, one prompt each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kairos_lib.nano.truth import ClipTruth
from workshop.nano.examples import FRAME_HEIGHT_PX, FRAME_WIDTH_PX
from workshop.nano.llava import WEIGHTS
from workshop.nano.render import Frame


class Captioner:
    """A trained nano LLaVA with its processor, on the CPU."""

    def __init__(self, weights: Path = WEIGHTS, *, four_bit: bool = False) -> None:
        """Load the model in float32, or in bitsandbytes' NF4 if `four_bit`."""
        import torch
        import transformers

        # Typed in part and not in whole; here the classes are taken as they come.
        library: Any = transformers
        quantization = (
            library.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.float32,
            )
            if four_bit
            else None
        )
        self._processor: Any = library.LlavaNextProcessor.from_pretrained(
            weights, trust_remote_code=False
        )
        self._model: Any = library.LlavaNextForConditionalGeneration.from_pretrained(
            weights,
            dtype=torch.float32,
            quantization_config=quantization,
            trust_remote_code=False,
        ).eval()

    def captions(self, pairs: Sequence[Sequence[Frame]], prompts: Sequence[str]) -> list[str]:
        """Caption a batch of scenes.

        Args:
            pairs: For each scene its first and its middle frame, RGB.
            prompts: For each scene the text of the user's turn.

        Returns:
            One caption a scene.
        """
        texts = [
            self._processor.apply_chat_template(
                [
                    {
                        "role": "user",
                        "content": [
                            *({"type": "image"} for _ in pair),
                            {"type": "text", "text": prompt},
                        ],
                    }
                ],
                add_generation_prompt=True,
            )
            for pair, prompt in zip(pairs, prompts, strict=True)
        ]
        inputs = self._processor(
            images=[frame for pair in pairs for frame in pair],
            text=texts,
            padding=True,
            return_tensors="pt",
        )
        tokens = self._model.generate(**inputs, do_sample=False, max_new_tokens=256)
        new = tokens[:, inputs["input_ids"].shape[1] :]
        decoded = self._processor.batch_decode(new, skip_special_tokens=True)
        return [text.strip() for text in decoded]


def scene_frames(clip: Path, truth: ClipTruth) -> list[list[Frame]]:
    """Decode the first and the middle frame of every scene, 336 pixels wide."""
    import av

    wanted_s = [(scene.start_s, (scene.start_s + scene.end_s) / 2) for scene in truth.scenes]
    indices = {round(time_s * truth.fps) for pair in wanted_s for time_s in pair}
    found: dict[int, Frame] = {}
    with av.open(str(clip)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in indices:
                small = frame.reformat(
                    width=FRAME_WIDTH_PX,
                    height=FRAME_HEIGHT_PX,
                    format="rgb24",
                    interpolation="BICUBIC",
                )
                found[index] = np.asarray(small.to_ndarray(), dtype=np.uint8)
    return [[found[round(time_s * truth.fps)] for time_s in pair] for pair in wanted_s]
