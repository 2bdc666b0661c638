"""Finds parameter files by name, pattern or range and reads them. Knows nothing of runs."""

from __future__ import annotations

import fnmatch
import math
import re
from pathlib import Path
from typing import Any, TypeVar

from kairos_lib.errors import KairosError, closest
from kairos_lib.names import is_name, quoted
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import NAME, Changes, ParameterFile
from kairos_lib.parameters.video import Video
from kairos_lib.parameters.weights import Weights
from kairos_lib.parameters.yaml_files import read, validate
from kairos_lib.project import Project, exists, slug

P = TypeVar("P", bound=ParameterFile)
RANGE_AT_MOST = 1000
"""Maximum number of names in one range."""


def names(project: Project, kind: type[ParameterFile]) -> list[str]:
    """The existing names of a kind of parameter file.

    Files whose name cannot be a folder's, such as the `..` of `...yaml`, are ignored.
    """
    found = (path.stem for path in (project.parameters / kind.folder).glob("*.yaml"))
    return sorted(name for name in found if is_name(name))


def load(project: Project, kind: type[P], name: str, changes: Changes | None = None) -> P:
    """Read one parameter file by name.

    Args:
        project: The checkout.
        kind: Which folder of parameters.
        name: Name of the file, without `.yaml`.
        changes: Values that override those in the file.

    Raises:
        KairosError: There is no such file (the message lists the known names), or something in it
            is wrong (the message names the file, the key and, for an unknown key, the nearest valid
            one).
    """
    path = project.parameters / kind.folder / f"{name}.yaml"
    # A name is a stem, never a path: one with a slash must not leave the folder.
    if name not in (known := names(project, kind)):
        what = kind.called or kind.__name__.lower()
        raise KairosError(f"unknown {what} '{name}': {closest(name, known, list_known=True)}")
    shown = project.relative(path)
    values = {**read(path, shown), "name": name}
    if changes:
        values, shown = changed(values, changes), f"{shown}, changed by {quoted(changes)}"
        wanted = str(values["name"])
        if not (re.fullmatch(NAME, wanted) and is_name(wanted)):
            raise KairosError(f"{quoted(wanted)} cannot be a name")
    return validate(kind, values, shown)


def fetching(project: Project, weights: Weights) -> str:
    """The command that gets a model's weights, or where to look for what is missing.

    A model's name may be a variant's, or made from a checkpoint's id: the model to fetch is one
    that has the same weights in a file of its own.
    """
    owners = [
        name for name in names(project, Model) if load(project, Model, name).weights == weights
    ]
    if weights.source != "hub" and not (weights.source == "package" and owners):
        return f"see {project.relative(project.parameters)}/models/{(owners or ['*'])[0]}.yaml"
    if owners:
        return f"run `make fetch MODEL={owners[0]}`, or time it with WEIGHTS=dummy"
    return f"run `make fetch MODEL_ID={weights.id}`"


def changed(values: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Apply changes to values: mappings are merged, but `weights` are replaced as a whole.

    Pinned revisions and hashes of other weights do not apply to the new ones.
    """
    merged = dict(values)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and key != "weights":
            value = changed(old, value)
        merged[key] = value
    return merged


def expand(entries: tuple[str, ...], known: list[str], what: str) -> list[str]:
    """Resolve names, patterns and ranges to names, in order and without repeats.

    `game-[0..3]` means `game-0` to `game-3`, and `game-[08..10]` keeps the zeros.

    Raises:
        KairosError: An entry matches nothing that exists.
    """
    found: dict[str, None] = {}
    for entry in entries:
        candidates = _range(entry)
        for candidate in candidates:
            matches = fnmatch.filter(known, candidate)
            if not matches:
                near = closest(candidate, known, list_known=True)
                raise KairosError(f"unknown {what} '{candidate}': {near}")
            found.update(dict.fromkeys(matches))
    return list(found)


RANGE = re.compile(r"\[([0-9]+)\.\.([0-9]+)\]")


def _range(entry: str) -> list[str]:
    """The names that an entry expands to; counted before any is made."""
    spans = [_numbers(entry, *span.groups()) for span in RANGE.finditer(entry)]
    if math.prod(map(len, spans)) > RANGE_AT_MOST:
        raise KairosError(f"{quoted(entry)} stands for more than {RANGE_AT_MOST:,} names")
    texts = RANGE.split(entry)[::3]
    found = [texts[0]]
    for numbers, after in zip(spans, texts[1:], strict=True):
        found = [f"{head}{number}{after}" for head in found for number in numbers]
    return found


def _numbers(entry: str, first: str, last: str) -> list[str]:
    """The numbers of a range, with the zeros of its first."""
    if max(len(first), len(last)) > 9 or int(last) - int(first) >= RANGE_AT_MOST:
        raise KairosError(f"{quoted(entry)} stands for more than {RANGE_AT_MOST:,} names")
    if int(last) < int(first):
        raise KairosError(f"{quoted(entry)} stands for nothing: it goes from {first} to {last}")
    width = len(first) if first.startswith("0") else 0
    return [f"{n:0{width}d}" for n in range(int(first), int(last) + 1)]


def video(project: Project, name_or_path: str) -> Video:
    """A video by its name under `parameters/videos`, or any file by its path.

    Relative paths in parameter files are relative to the project; one given by the user is
    relative to the working directory.
    """
    if name_or_path in names(project, Video):
        known = load(project, Video, name_or_path)
        return known.model_copy(
            update={
                "path": project.root / known.path,
                "truth": project.root / known.truth if known.truth else None,
                "events": project.root / known.events if known.events else None,
                "references": project.root / known.references if known.references else None,
            }
        )
    if "://" in name_or_path:
        raise KairosError(
            f"{name_or_path} is an address: bring the video here with `make fetch VIDEO=` and name "
            "the file"
        )
    path = Path(name_or_path).expanduser()
    if not path.suffix and len(path.parts) == 1 and not exists(path):
        load(project, Video, name_or_path)  # A mistyped name: the error lists the known ones.
    # Made absolute without resolving links: users look for the name that they gave.
    return Video(name=slug(path.stem), path=path.absolute(), title=path.stem)
