"""What loading a model of transformers needs beside `from_pretrained`, and what it takes."""

from __future__ import annotations

from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.measure.devices import number_of
from kairos_lib.vlm.architecture import quantisation
from kairos_lib.weights.checkpoint_files import precision_named

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


def takes_gpu(device: str) -> bool:
    """Whether a model goes to a GPU.

    Args:
        device: As a model's parameters have it.

    Raises:
        KairosError: It is to go to one that torch does not see.
    """
    import torch

    have = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device in ("auto", "cpu"):
        return device == "auto" and have > 0
    if number_of(device) >= have:
        raise KairosError(
            f"device: {device} is not here: torch {torch.__version__} can use {have or 'no'} "
            f"GPU{'' if have == 1 else 's'}"
        )
    return True


def device_map(device: str) -> str | dict[str, str | int]:
    """Where transformers is to put a model: whole on one device, or spread over all GPUs (`auto`).

    Args:
        device: As a model's parameters have it.
    """
    if device == "auto":
        return "auto"
    return {"": "cpu" if device == "cpu" else number_of(device)}


def quantisation_config(precision: str, dtype: Any) -> Any:
    """Bitsandbytes' settings for weights in 4 or 8 bits; none for others."""
    import transformers

    config: Any = transformers.BitsAndBytesConfig
    if precision == "nf4":
        return config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    if precision == "int8":
        return config(load_in_8bit=True)
    return None


def check_precision(asked: str, own: str) -> str:
    """The precision that weights will have.

    Args:
        asked: By a model's parameters; `none` takes the weights as they are.
        own: Of the checkpoint.

    Raises:
        ValueError: They are quantised already, and otherwise than asked.
    """
    if "none" not in (asked, own) and asked != own:
        raise ValueError(
            f"its weights are {own} already and cannot be made {asked}: leave quantisation out, or "
            "take another checkpoint"
        )
    return asked if own == "none" else own


def take_quantised(config: Any, dtype: Any, device_map: Any) -> None:
    """Make ready to load weights that are quantised already.

    Args:
        config: The checkpoint's; changed, so that what is computed has our type.
        dtype: Of torch.
        device_map: As it will be given to transformers.

    Raises:
        ImportError: A package for them is missing, which the message names.
        RuntimeError: They need a GPU.
        ValueError: They cannot be used as they are on this machine.
    """
    from transformers.quantizers.auto import AutoHfQuantizer

    own = getattr(config, "quantization_config", None)
    own = own or getattr(config.get_text_config(), "quantization_config", None)
    if not isinstance(own, dict):
        return
    if own.get("load_in_4bit"):
        own["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    quantizers: Any = AutoHfQuantizer
    quantizer = quantizers.from_config(dict(own), pre_quantized=True)
    quantizer.validate_environment(device_map=device_map, weights_only=True)
    # With no more than a warning, transformers would widen them, to twice the size and more.
    if getattr(quantizer.quantization_config, "dequantize", False):
        raise ValueError(
            f"its weights are {precision_named(own)}, which needs another GPU than there is here: "
            "take a checkpoint that is not quantised"
        )


def check_loaded(expected: str, config: Any) -> None:
    """See that weights have the precision that will be recorded.

    Raises:
        ValueError: They do not.
    """
    if quantisation(config) != expected:
        raise ValueError(
            f"its weights are {expected}, and transformers would take them as "
            f"{quantisation(config)}: take another checkpoint"
        )


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
