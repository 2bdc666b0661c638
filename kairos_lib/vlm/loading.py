"""What loading a transformers model needs beyond `from_pretrained`, and its memory."""

from __future__ import annotations

from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.measure.devices import number_of
from kairos_lib.vlm.architecture import quantisation
from kairos_lib.weights.checkpoint_files import precision_named

SHARE = 0.9
"""Share of the free memory; the rest covers what the allocator cannot use in one piece."""
COMPUTING = 3
"""Memory of a caption on a CPU, as a multiple of its cache: the cache is copied while it grows,
and layers need memory to compute."""
PACKED_OUTPUTS = 32
"""Rows of a 4-bit layer that bitsandbytes packs together for a CPU (`block_n` of its
`functional.py`)."""


def read_config(model_class: Any, path: str) -> Any:
    """A checkpoint's configuration: by the class itself or, for an `Auto` class, by its type."""
    import transformers

    configs: Any = getattr(model_class, "config_class", None) or transformers.AutoConfig
    return configs.from_pretrained(path, trust_remote_code=False)


def settle(config: Any, attention: str | None) -> None:
    """Set our attention implementation in a configuration and all those inside it.

    A checkpoint's own would take precedence, and may name code on the hub.

    Args:
        config: From transformers; changed.
        attention: `None` leaves the choice to each network.
    """
    import transformers

    config._attn_implementation = attention
    config._experts_implementation = None
    for inner in vars(config).values():
        if isinstance(inner, transformers.PreTrainedConfig):
            settle(inner, attention)


def network_class(model_class: Any, config: Any) -> Any:
    """The class that an `Auto` class would build for a configuration; other classes unchanged.

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
    # transformers suggests enabling it in several sentences.
    if "custom code" in said:
        return (
            "it needs code of its own, which Kairos never runs: choose one that transformers "
            "supports itself"
        )
    return said.splitlines()[0]


def takes_gpu(device: str) -> bool:
    """Whether a model goes to a GPU.

    Args:
        device: From a model's parameters.

    Raises:
        KairosError: The GPU is not visible to torch.
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
    """Where transformers puts a model: whole on one device, or spread over all GPUs (`auto`).

    Args:
        device: From a model's parameters.
    """
    if device == "auto":
        return "auto"
    return {"": "cpu" if device == "cpu" else number_of(device)}


def quantisation_config(precision: str, dtype: Any) -> Any:
    """Bitsandbytes settings for weights in 4 or 8 bits; None for others."""
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
        asked: From a model's parameters; `none` takes the weights as they are.
        own: Precision of the checkpoint.

    Raises:
        ValueError: They are quantised already, in another precision than asked.
    """
    if "none" not in (asked, own) and asked != own:
        raise ValueError(
            f"its weights are {own} already and cannot be made {asked}: leave quantisation out, or "
            "take another checkpoint"
        )
    return asked if own == "none" else own


def take_quantised(config: Any, dtype: Any, device_map: Any) -> None:
    """Prepare to load weights that are already quantised.

    Args:
        config: The checkpoint's; changed, so that computation uses our dtype.
        dtype: From torch.
        device_map: As it will be given to transformers.

    Raises:
        ImportError: A required package is missing; the message names it.
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
    # With only a warning, transformers would widen them, to more than twice the size.
    if getattr(quantizer.quantization_config, "dequantize", False):
        raise ValueError(
            f"its weights are {precision_named(own)}, which this machine's GPU does not support: "
            "take a checkpoint that is not quantised"
        )


def check_loaded(expected: str, config: Any) -> None:
    """Check that weights have the precision that will be recorded.

    Raises:
        ValueError: They do not.
    """
    if quantisation(config) != expected:
        raise ValueError(
            f"its weights are {expected}, and transformers would take them as "
            f"{quantisation(config)}: take another checkpoint"
        )


def spare_unpackable(model: Any) -> None:
    """Keep layers that bitsandbytes cannot pack off its fast path for a CPU's bfloat16 units.

    That path lays outputs out in groups of 32 and scales whole blocks of inputs, and fails an
    assertion for layers of other sizes, such as the 3,420 of Qwen2.5-VL's vision tower. The
    general path handles them.
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
    """Number of values that a model caches for each token: keys and values, layer by layer."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size)
