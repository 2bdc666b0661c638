"""YAML files as typed models, and one clear line for what is wrong in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from kairos_lib.errors import KairosError, closest

Parsed = TypeVar("Parsed", bound=BaseModel)


def read(path: Path, shown: str) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        KairosError: It cannot be read, is not YAML, or holds something else.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise KairosError(f"{shown}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        detail = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise KairosError(f"{shown}{line}: not valid YAML: {detail}") from error
    if not isinstance(values, dict):
        raise KairosError(f"{shown}: must hold keys and values")
    return values


def validate(kind: type[Parsed], values: dict[str, Any], shown: str) -> Parsed:
    """Check values against a model.

    Raises:
        KairosError: One of them is wrong; the line names the file as it is `shown`, the key and,
            for an unknown key, the nearest valid one.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise KairosError(f"{shown}: {_explain(error, kind)}") from error


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    first = error.errors()[0]
    # Of several kinds that a value may have, pydantic names the one it tried.
    kinds = ("constrained-", "literal[")
    where = ".".join(str(p) for p in first["loc"] if not str(p).startswith(kinds))
    if first["type"] == "extra_forbidden":
        owner = _model_at(kind, first["loc"][:-1])
        valid = [key for key in owner.model_fields if key != "name"]
        return f"unknown key '{where}': {closest(str(first['loc'][-1]), valid)}"
    if first["type"] == "missing":
        return f"the key '{where}' is missing"
    if first["type"] == "value_error":
        # Of a validator of ours, whose sentence says it all.
        return f"'{where}': {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    return f"'{where}': {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"


def _model_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that a nested key belongs to."""
    for part in location:
        annotation = kind.model_fields[str(part)].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        kind = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return kind


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key given twice, of which plain YAML silently keeps the last."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.MarkedYAMLError(problem=f"the key '{key}' is given twice")
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
