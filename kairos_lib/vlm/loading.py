"""What loading a model of transformers needs beside `from_pretrained`, and what it takes."""

from __future__ import annotations

from typing import Any

SHARE = 0.9
"""Of the free memory: the rest is for what the allocator cannot use in one piece."""
COMPUTING = 3
"""What a caption takes on a CPU, in sizes of its cache: the cache once more while it grows, and
what the layers compute."""
PACKED_OUTPUTS = 32
"""Of a layer in 4 bits, that bitsandbytes packs together for a CPU (`block_n` of its
`functional.py`)."""


def quantisation_config(quantisation: str, dtype: Any) -> Any:
    """Bitsandbytes' settings for weights in 4 or 8 bits; none for others."""
    import transformers

    config: Any = transformers.BitsAndBytesConfig
    if quantisation == "nf4":
        return config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    if quantisation == "int8":
        return config(load_in_8bit=True)
    return None


def spare_unpackable(model: Any) -> None:
    """Keep layers that bitsandbytes cannot pack for a CPU's bfloat16 units off that path.

    It lays the outputs out in groups of 32 and scales whole blocks of inputs, and stops with an
    assertion at layers of other sizes, such as the 3,420 of Qwen2.5-VL's vision tower. Its general
    path takes them.
    """
    import bitsandbytes

    packable: Any = bitsandbytes.nn
    for layer in model.modules():
        if isinstance(layer, packable.Linear4bit) and (
            layer.out_features % PACKED_OUTPUTS
            or layer.in_features % layer.weight.quant_state.blocksize
        ):
            layer.support_avx512bf16_for_cpu = False


def cached_values(config: Any) -> int:
    """Numbers that the cache of a model holds of each token: a key and a value, layer by layer."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size)
