"""Finds parameter files by name, pattern or range and reads them. Knows nothing of runs."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any, TypeVar

from kairos_lib.errors import KairosError, closest
from kairos_lib.project import Project, exists, slug
from kairos_lib.references import Reference
from kairos_lib.settings import NAME, Base, Changes, Model, Settings, Suite, Video, Weights
from kairos_lib.yaml_files import read, validate

Parameters = TypeVar("Parameters", Video, Model, Base, Suite, Reference)
FOLDERS: dict[type[Settings], str] = {
    Video: "videos",
    Model: "models",
    Base: "base",
    Suite: "suites",
    Reference: "reference",
}


def names(project: Project, kind: type[Settings]) -> list[str]:
    """The names that exist of a kind of parameter file."""
    return sorted(path.stem for path in (project.parameters / FOLDERS[kind]).glob("*.yaml"))


def load(
    project: Project, kind: type[Parameters], name: str, changes: Changes | None = None
) -> Parameters:
    """Read one parameter file by name.

    Args:
        project: The checkout.
        kind: Which folder of parameters.
        name: Of the file, without `.yaml`.
        changes: What is to be otherwise than in the file.

    Raises:
        KairosError: There is no such file (the line lists the names there are), or something
            in it is wrong (the line names the file, the key and, for an unknown key, the
            nearest valid one).
    """
    path = project.parameters / FOLDERS[kind] / f"{name}.yaml"
    # A name is a stem, never a path: one with a slash must not leave the folder.
    if name not in (known := names(project, kind)):
        what = kind.__name__.lower()
        raise KairosError(f"unknown {what} '{name}': {closest(name, known, list_known=True)}")
    shown = project.relative(path)
    values = {**read(path, shown), "name": name}
    if changes:
        values, shown = changed(values, changes), f"{shown}, changed by {changes}"
        if not re.fullmatch(NAME, str(values["name"])):
            raise KairosError(f"{values['name']!r} cannot be a name")
    return validate(kind, values, shown)


def fetching(project: Project, weights: Weights) -> str:
    """The command that brings a model's weights here, or where to look for what is missing.

    A model's name may be a variant's, or made of a checkpoint's id: whoever has the same weights
    in a file of their own is the model to fetch.
    """
    owners = [
        name for name in names(project, Model) if load(project, Model, name).weights == weights
    ]
    if weights.source != "hub":
        return f"see {project.relative(project.parameters)}/models/{(owners or ['*'])[0]}.yaml"
    if owners:
        return f"run `make fetch MODEL={owners[0]}`, or time it with WEIGHTS=dummy"
    return f"run `make fetch MODEL_ID={weights.id}`"


def changed(values: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Values with others in their place: a mapping is merged, but `weights` are replaced whole.

    What was pinned of other weights says nothing of these.
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

    `game-[0..3]` stands for `game-0` to `game-3`, and `game-[08..10]` keeps the zeros.

    Raises:
        KairosError: An entry stands for nothing that exists.
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


def _range(entry: str) -> list[str]:
    span = re.search(r"\[(\d+)\.\.(\d+)\]", entry)
    if not span:
        return [entry]
    first, last = span.groups()
    head, tail = entry[: span.start()], entry[span.end() :]
    width = len(first) if first.startswith("0") else 0
    return [f"{head}{n:0{width}d}{tail}" for n in range(int(first), int(last) + 1)]


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
                "references": project.root / known.references if known.references else None,
            }
        )
    if "://" in name_or_path:
        raise KairosError(f"{name_or_path} is an address: download the video and name the file")
    path = Path(name_or_path).expanduser()
    if not path.suffix and len(path.parts) == 1 and not exists(path):
        load(project, Video, name_or_path)  # a mistyped name: say which there are
    # Made absolute without resolving links: the name a user gave is the name they look for.
    return Video(name=slug(path.stem), path=path.absolute(), title=path.stem)
