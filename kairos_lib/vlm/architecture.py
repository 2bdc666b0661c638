"""Architecture of a loaded model, read from its configuration and its weights."""

from __future__ import annotations

import math
from typing import Any

from kairos_lib.vlm.records import Architecture, NetworkPart
from kairos_lib.weights.checkpoint_files import precision_named


def describe(model: Any, connectors: frozenset[str]) -> Architecture:
    """Describe the parts of a model of transformers.

    Every parameter belongs to one of three parts: to the connector if a part of its name is one
    of `connectors`, to the vision encoder if it is in the network with the vision configuration,
    otherwise to the language model.

    Args:
        model: Loaded, or built without memory.
        connectors: Names of the modules or parameters that turn features into tokens.
    """
    text = _text_config(model.config)
    place, tower = _tower(model)
    # Prefer the network itself: it can be smaller than the configuration says.
    vision = getattr(tower, "config", None) or getattr(model.config, "vision_config", None)
    counts = dict.fromkeys(("vision", "connector", "language"), 0)
    for name, parameter in model.named_parameters():
        if connectors & set(name.split(".")):
            part = "connector"
        else:
            part = "vision" if place and name.startswith(f"{place}.") else "language"
        counts[part] += _count(parameter)
    return Architecture(
        model=type(model).__name__,
        vision=None if vision is None else _part(vision, counts["vision"]),
        connector=_connector(model, connectors, counts["connector"]),
        language=_part(text, counts["language"]),
        image_px=_number(vision, "image_size"),
        patch_px=_number(vision, "patch_size"),
        queries=_number(model.config, "num_query_tokens"),
        context_tokens=_number(text, "max_position_embeddings"),
        attention=_attention(text, vision),
        dtype=str(model.dtype).removeprefix("torch."),
        quantisation=quantisation(model.config),
    )


def _text_config(config: Any) -> Any:
    try:
        return config.get_text_config()
    except ValueError:  # There are several, and none is the main one.
        return config


def _tower(model: Any) -> tuple[str, Any]:
    """Name and module of the vision encoder: the outermost network that has its configuration."""
    wanted = getattr(model.config, "vision_config", None)
    for name, module in model.named_modules():
        if name and wanted is not None and type(getattr(module, "config", None)) is type(wanted):
            return name, module
    return "", None


def _part(config: Any, count: int) -> NetworkPart:
    return NetworkPart(
        kind=str(config.model_type),
        layers=_number(config, "num_hidden_layers", "depth"),
        # If there are both, as in Qwen2-VL, the second is the output width.
        hidden_size=_number(config, "embed_dim", "hidden_size"),
        parameters_millions=count / 1e6,
    )


def _connector(model: Any, connectors: frozenset[str], count: int) -> NetworkPart | None:
    found = [
        module
        for name, module in model.named_modules()
        # Outermost modules only: nested ones are counted with them.
        if name.split(".")[-1] in connectors and not connectors & set(name.split(".")[:-1])
    ]
    if not found and not count:
        return None
    return NetworkPart(kind=" + ".join(map(_kind, found)), parameters_millions=count / 1e6)


def _kind(module: Any) -> str:
    """A module's class and its depth."""
    import torch

    if isinstance(module, torch.nn.Linear):  # Quantised classes are derived from it.
        return "Linear"
    if isinstance(module, torch.nn.Sequential):
        return " + ".join(map(_kind, module))
    name = type(module).__name__
    layers = _number(getattr(module, "config", None), "num_hidden_layers")
    if layers is not None:
        return f"{name} of {layers} layers"
    linear = sum(isinstance(inner, torch.nn.Linear) for inner in module.modules())
    return f"{name} of {linear} linear layer{'s' if linear != 1 else ''}" if linear else name


def _count(parameter: Any) -> int:
    """Number of values in a parameter; in 4 bits, each byte holds two."""
    state = getattr(parameter, "quant_state", None)
    return math.prod(state.shape) if state is not None else int(parameter.numel())


def _number(config: Any, *names: str) -> int | None:
    """The first of some settings that exists; for a size, its larger side."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, list | tuple) and value:
            value = max(value)
        if isinstance(value, int):
            return value
    return None


def _attention(text: Any, vision: Any) -> str:
    used = [getattr(config, "_attn_implementation", None) for config in (text, vision)]
    if used[1] in (None, used[0]):
        return str(used[0] or "")
    return f"{used[0]}, vision {used[1]}"


def quantisation(config: Any) -> str:
    """Detected from the names of a model's parameters."""
    used = getattr(config, "quantization_config", None)
    if used is None:
        return "none"
    return precision_named(used if isinstance(used, dict) else used.to_dict())
