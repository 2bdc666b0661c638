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


def read_config(model_class: Any, path: str) -> Any:
    """A checkpoint's configuration: of the class itself or, for an `Auto` one, of its own kind."""
    import transformers

    configs: Any = getattr(model_class, "config_class", None) or transformers.AutoConfig
    return configs.from_pretrained(path, trust_remote_code=False)


def settle(config: Any, attention: str | None) -> None:
    """Have a configuration and all within it name our implementations.

    A checkpoint's own would be taken before ours, and may name code on the hub.

    Args:
        config: Of transformers; changed.
        attention: `None` leaves it to each network.
    """
    import transformers

    config._attn_implementation = attention
    config._experts_implementation = None
    for inner in vars(config).values():
        if isinstance(inner, transformers.PreTrainedConfig):
            settle(inner, attention)


def network_class(model_class: Any, config: Any) -> Any:
    """The network that an `Auto` class would build for a configuration; others are what they are.

    Raises:
        ValueError: The configuration names none.
    """
    import transformers

    if issubclass(model_class, transformers.PreTrainedModel):
        return model_class
    name = (config.architectures or [""])[0]
    found = getattr(transformers, name, None)
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise ValueError(f"transformers has no model {name!r}, which its config names")
    return found


def reason_of(error: Exception) -> str:
    """Why a checkpoint could not be loaded, in one line."""
    said = str(error).strip() or type(error).__name__
    # Told by transformers in sentences that invite to switch it on.
    if "custom code" in said:
        return (
            "it needs code of its own, which is never run here: choose one that transformers "
            "knows by itself"
        )
    return said.splitlines()[0]


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
