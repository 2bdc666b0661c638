"""What the files of a checkpoint ask for, looked at before transformers reads any of them.

A checkpoint is a stranger's data: it may bring no code, and nothing beside its own folder may be
read or fetched for it. Imports neither torch nor transformers: a plan looks as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SUFFIX = ".safetensors"
# What makes transformers read, fetch or change something else, by the file that may say so.
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
    """See that a checkpoint is whole in itself, and is data alone.

    Raises:
        ValueError: It asks for something else.
    """
    for name, keys in REFUSED.items():
        values = read_json(folder / name)
        for key, what in keys.items():
            if values.get(key):
                raise ValueError(f"{name} asks for {what} ({key}), which is never done here")
    if (folder / ADAPTER).exists():
        raise ValueError(
            f"there is an {ADAPTER}: merge the adapter into its model and load the whole"
        )
    shards(folder)


def shards(folder: Path) -> tuple[str, ...]:
    """The files that an index names; none where there is no index.

    Raises:
        ValueError: One of them lies elsewhere or is no safetensors file.
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


def read_json(path: Path) -> dict[str, Any]:
    """A file of a checkpoint; empty where there is none.

    Raises:
        ValueError: It holds something else than names with values.
    """
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} holds no names with values")
    return values
