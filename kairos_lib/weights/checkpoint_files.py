"""Checks the files of a checkpoint before transformers reads any of them.

A checkpoint is untrusted data: it must not bring code, and nothing outside its own folder may be
read or downloaded for it. Imports neither torch nor transformers, because plans use it as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SUFFIX = ".safetensors"
WHOLE = f"model{SUFFIX}"
LARGEST_HEADER_BYTES = 100 << 20
"""Limit for a safetensors file's header, as defined by the format."""
NARROW = frozenset({"I4", "U4", "I8", "U8", "I16", "U16"})
"""Types that need a config to be interpreted as weights. So do all floats of 8 bits or fewer."""
# Settings that make transformers read, download or change something else, by file.
REFUSED = {
    CONFIG: {
        "configuration_files": "another file in its place",
        "transformers_weights": "other files of weights",
        "fusion_config": "parts of the network to be replaced",
    },
    "processor_config.json": {"audio_tokenizer": "a further model"},
}
ADAPTER = "adapter_config.json"


def check_files(folder: Path) -> None:
    """Check that a checkpoint is self-contained, and only data.

    Raises:
        ValueError: It asks for something else.
    """
    for name, keys in REFUSED.items():
        values = read_json(folder / name)
        for key, what in keys.items():
            if values.get(key):
                raise ValueError(f"{name} asks for {what} ({key}), which Kairos never does")
    if (folder / ADAPTER).exists():
        raise ValueError(
            f"there is an {ADAPTER}: merge the adapter into its model and load the whole"
        )
    shards(folder)


def shards(folder: Path) -> tuple[str, ...]:
    """The files that an index names; empty if there is no index.

    Raises:
        ValueError: One of them is elsewhere or is not a safetensors file.
    """
    if not (folder / INDEX).exists():
        return ()
    index = read_json(folder / INDEX)
    named = index.get("weight_map")
    if not isinstance(named, dict) or not isinstance(index.get("metadata"), dict):
        raise ValueError(f"{INDEX} has no weight_map or no metadata")
    names = sorted({str(name) for name in named.values()})
    for name in names:
        if not name.endswith(SUFFIX) or Path(name).name != name or "\\" in name:
            raise ValueError(
                f"{INDEX} names {name!r}: weights are {SUFFIX} files of the same folder"
            )
    return tuple(names)


def own_quantisation(folder: Path) -> str:
    """Quantisation of a checkpoint's weights, from its own config; `none` if there is none.

    Raises:
        ValueError: They are quantised, but the config does not say how.
    """
    config = read_json(folder / CONFIG)
    text = config.get("text_config")
    for values in (config, text if isinstance(text, dict) else {}):
        for key in ("quantization_config", "compression_config"):
            if values.get(key):
                return precision_named(values[key])
    for _, name, kind in _tensors(folder):
        if kind in NARROW or re.match("F[4-8]_", kind):
            raise ValueError(
                f"the weight {name} is stored as {kind}, and {CONFIG} does not say how to read "
                "that: get a checkpoint whose quantization_config does"
            )
    return "none"


def precision_named(values: dict[str, Any]) -> str:
    """The quantisation of a `quantization_config`, by its name in a model's parameters."""
    if values.get("load_in_4bit"):
        return str(values.get("bnb_4bit_quant_type", "fp4"))
    if values.get("load_in_8bit"):
        return "int8"
    method = values.get("quant_method", "unknown")
    return str(getattr(method, "value", method))


def stored_bytes(folder: Path) -> int:
    """Total size of all weights of a checkpoint, as stored."""
    return sum(size for size, _, _ in _tensors(folder))


def _tensors(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Size in bytes, name and type of each tensor, from the files' headers."""
    for file in shards(folder) or (WHOLE,):
        if not (folder / file).exists():
            continue  # transformers reports it.
        for name, entry in _header(folder / file).items():
            if name == "__metadata__":
                continue
            try:
                first, end = entry["data_offsets"]
                yield int(end) - int(first), name, str(entry["dtype"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{file} is not a safetensors file") from error


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LARGEST_HEADER_BYTES:
            raise ValueError(f"{path.name} is not a safetensors file")
        text = file.read(size)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a safetensors file") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is not a safetensors file")
    return header


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a checkpoint; empty if there is none.

    Raises:
        ValueError: It is not a JSON object.
    """
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return values
