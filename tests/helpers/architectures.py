"""The committed architectures with little in them."""

from __future__ import annotations

from pathlib import Path

import yaml

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def small(architecture: Path, folder: Path) -> Path:
    """The same architecture with little in it."""
    described = yaml.safe_load(architecture.read_text())
    config = described["config"]
    text = config.get("text_config", config)
    text |= SMALL
    if "rope_parameters" in text and "mrope_section" in text["rope_parameters"]:
        text["rope_parameters"]["mrope_section"] = [4, 6, 6]
    if "rope_scaling" in text:
        for factors in ("short_factor", "long_factor"):
            text["rope_scaling"][factors] = text["rope_scaling"][factors][:16]
    vision = config.get("vision_config", {})
    if config["model_type"] == "qwen2_vl":
        vision |= {"embed_dim": 64, "hidden_size": 64, "num_heads": 2, "depth": 2}
    elif config["model_type"] == "qwen2_5_vl":
        vision |= {"hidden_size": 64, "out_hidden_size": 64, "num_heads": 2, "depth": 2}
        vision |= {"intermediate_size": 128, "fullatt_block_indexes": [1]}
    else:
        vision |= {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
    if config["model_type"] == "phi3_v":
        config["img_processor"]["image_dim_out"] = 64
        described["vision"] = {**SMALL, "image_size": 336, "patch_size": 14}
    if "qformer_config" in config:
        config["qformer_config"] |= {"num_hidden_layers": 2, "encoder_hidden_size": 64}
    path = folder / architecture.name
    path.write_text(yaml.safe_dump(described))
    return path
