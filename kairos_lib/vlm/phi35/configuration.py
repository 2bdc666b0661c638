"""Reads the original checkpoint's `config.json`, without the remote code that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from transformers import CLIPVisionConfig, Phi3Config

from kairos_lib.errors import KairosError

IMAGE_TOKEN_ID = 32044
"""`<|image|>` of Phi-3's tokenizer: stands for one row of a picture's features."""
VISION_FILE = "clip_config.json"
"""The original's config only names its vision tower; this file defines it, if it exists."""
# https://huggingface.co/openai/clip-vit-large-patch14-336/blob/main/config.json
CLIP_VIT_LARGE_336 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
# The original's picture layout; a checkpoint with another one is a different model.
EXPECTED = {
    "use_hd_transform": True,
    "with_learnable_separator": True,
    "hd_transform_order": "sub_glb",
    "projection_cls": "mlp",
}


class Phi35Config(Phi3Config):
    """Phi-3's settings, with those of the vision tower."""

    model_type: ClassVar[str] = "phi3_v"
    sub_configs: ClassVar[dict[str, Any]] = {"vision_config": CLIPVisionConfig}

    vision_config: Any = None
    image_token_id: int = IMAGE_TOKEN_ID

    def __post_init__(self, **kwargs: Any) -> None:
        if not isinstance(self.vision_config, CLIPVisionConfig):
            self.vision_config = CLIPVisionConfig(**(self.vision_config or CLIP_VIT_LARGE_336))
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]


def read_config(folder: Path) -> Phi35Config:
    """The settings of a checkpoint in the original's format.

    Raises:
        KairosError: There is none, or it is of another model.
    """
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KairosError(f"{path} cannot be read: {error}") from error
    if values.get("model_type") != Phi35Config.model_type:
        raise KairosError(
            f"{path} is of a model of type {values.get('model_type')!r}, not "
            f"{Phi35Config.model_type!r}: it is not Phi-3.5-Vision"
        )
    layout = values.get("embd_layer", {})
    for key, expected in EXPECTED.items():
        if layout.get(key, expected) != expected:
            raise KairosError(f"{path}: embd_layer.{key} is {layout[key]!r}, not {expected!r}")
    vision = CLIP_VIT_LARGE_336
    if (folder / VISION_FILE).exists():
        vision = json.loads((folder / VISION_FILE).read_text(encoding="utf-8"))
    kept = {
        key: values[key]
        for key in (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
            "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
            "original_max_position_embeddings", "rms_norm_eps", "hidden_act", "initializer_range",
            "bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings",
            "quantization_config",
        )
        if key in values
    }  # fmt: skip
    return Phi35Config(
        **kept,
        # The window (262,144 tokens) is twice the model's context: it hides nothing.
        sliding_window=None,
        rope_parameters=_rope(values),
        vision_config=dict(vision),
        architectures=["Phi35ForConditionalGeneration"],
    )


def _rope(values: dict[str, Any]) -> dict[str, Any]:
    """LongRoPE's parameters under their current names; the original calls it `su`."""
    theta = values.get("rope_theta", 10_000.0)
    scaling = values.get("rope_scaling")
    if scaling is None:
        return {"rope_type": "default", "rope_theta": theta}
    return {
        "rope_type": "longrope",
        "rope_theta": theta,
        "short_factor": [float(factor) for factor in scaling["short_factor"]],
        "long_factor": [float(factor) for factor in scaling["long_factor"]],
        "original_max_position_embeddings": values["original_max_position_embeddings"],
    }
