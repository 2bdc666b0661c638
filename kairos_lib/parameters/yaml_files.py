"""YAML files as typed models, with one clear line for each error.

A file may come from anyone: anything that would take long to read, or could not be shown, is
refused while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from kairos_lib.errors import KairosError, closest
from kairos_lib.names import quoted, showable

Parsed = TypeVar("Parsed", bound=BaseModel)
LARGEST_BYTES = 100_000
"""Limit for a file. Reading it takes a second; the largest of ours has 2,300."""
DEEPEST = 20
"""Nesting depth of mappings and lists. Ours go four deep, and reading is recursive."""
LONGEST_NUMBER = 40
"""Characters of a number. Python refuses to print numbers of more than 4,300 digits."""


def read(path: Path, shown: str) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        KairosError: It cannot be read, is not YAML, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise KairosError(f"{shown}: holds more than {LARGEST_BYTES:,} bytes: shorten it")
        values = yaml.load(content.decode("utf-8"), Loader=_StrictLoader)
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
        KairosError: One of them is wrong; the message names the file as it is `shown`, the key and,
            for an unknown key, the nearest valid one.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise KairosError(f"{shown}: {_explain(error, kind)}") from error


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    first = error.errors()[0]
    # For a union of types, pydantic names the one it tried.
    kinds = ("constrained-", "literal[")
    where = ".".join(str(p) for p in first["loc"] if not str(p).startswith(kinds))
    if first["type"] == "extra_forbidden":
        owner = _model_at(kind, first["loc"][:-1])
        valid = [key for key in owner.model_fields if key != "name"]
        return f"unknown key '{where}': {closest(str(first['loc'][-1]), valid)}"
    if first["type"] == "missing":
        return f"the key '{where}' is missing"
    if first["type"] == "value_error":
        # From a validator of ours, whose message is complete.
        return f"'{where}': {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    return f"'{where}': {first['msg'][0].lower()}{first['msg'][1:]}, not {quoted(first['input'])}"


def _model_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that a nested key belongs to."""
    for part in location:
        # An index into a list and a name in a mapping are described by the key before them.
        if part in kind.model_fields:
            within = _models_in(kind.model_fields[str(part)].annotation)
            kind = next(within, kind)
    return kind


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of, such as `X` of `dict[str, X] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


class _StrictLoader(yaml.SafeLoader):
    """Refuses endless structures, and a key given twice, of which plain YAML keeps the last."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        problem = ""
        if self.check_event(yaml.AliasEvent):
            # A few lines of them can expand to more values than fit into memory.
            problem = "aliases (*name) are not read"
        elif self._depth > DEEPEST:
            problem = f"more than {DEEPEST} lists and mappings in one another"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark())
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        with _errors_with_line(node):
            return super().construct_object(node, deep)


@contextmanager
def _errors_with_line(node: yaml.Node) -> Iterator[None]:
    """Turn an invalid value, such as a date of the 99th month, into an error with its line."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        kind = node.tag.rpartition(":")[2]
        raise yaml.MarkedYAMLError(
            problem=f"a value that cannot be read as {kind}", problem_mark=node.start_mark
        ) from error


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    given = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str | int | float | bool | None):
            problem = "a key that is not a word"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        if key in given:
            problem = f"the key '{key}' is given twice"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        given.add(key)
    return loader.construct_mapping(node, deep=True)


def _text(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    # YAML's \x1b and \ud800: a terminal would execute the one, and nothing can write the other.
    if not showable(text):
        problem = "text with characters that cannot be shown"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return text


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> int | float:
    if len(node.value) > LONGEST_NUMBER:
        problem = f"a number of more than {LONGEST_NUMBER} digits"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    whole = node.tag == "tag:yaml.org,2002:int"
    return loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG, _text)
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _number)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _number)
