"""Rebuilds a run from its record, as a small project of its own beside the old one.

Parameters, batches and findings of base processing come from the record. The video, the weights,
the notebook, the code of Kairos and the libraries are those that are here; differences are
reported.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.launch.kernels import OWN, python_of
from kairos_lib.measure import provenance
from kairos_lib.names import inside, quoted
from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import NOT_OF_SERVERS, Model
from kairos_lib.parameters.video import Video
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.pipeline.base_session import base_run
from kairos_lib.project import Project
from kairos_lib.reproduce.record import RecordedRun
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.runs.files import write_json
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.key_difference import changes, read_mapping
from kairos_lib.runs.notebook_code import cells_hash, code, notebook_hash
from kairos_lib.runs.run import EXECUTED
from kairos_lib.vlm.records import PlannedBatch
from kairos_lib.vlm.run import NOTEBOOK, vlm_run
from kairos_lib.weights.location import find

REPRODUCED = "reproduced"
"""Folder under `runs/` for reproduced runs."""
PROFILE = "recorded"
"""Base profile of a rebuilt run: findings exist already, and nothing is analysed."""
SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
"""Suffixes of environment variables that may hold secrets."""
MACHINE = ("cpu", "threads", "compute_threads", "wait_policy", "gpus", "system")


@dataclass(frozen=True)
class Rebuilt:
    """A run that is ready to be run again."""

    project: Project
    """Its own project, below `runs/reproduced/`."""
    job: Job
    changed: tuple[str, ...]
    """What differs from the original run, one line each."""


def rebuild(
    project: Project, run: RecordedRun, video: str = "", trust_notebook: bool = False
) -> Rebuilt:
    """Create a project in which a run can be repeated.

    Args:
        project: The checkout.
        run: The original run, which is not changed.
        video: Present location of its video; empty if unchanged.
        trust_notebook: Run the recorded notebook if it differs from the checkout's.

    Raises:
        KairosError: The video or the weights are missing or not the same, the parameters are not
            valid in this version of Kairos, or the notebook differs and is not trusted.
    """
    notebook = _notebook(project, run, trust_notebook)
    model = _model(project, run)
    footage = _video(project, run, video)
    found = find(project, model.weights)
    if found.path is None:
        raise KairosError(f"the weights of {model.name} are not here: {found.missing}")
    if found.identity != run.key.get("weights"):
        raise KairosError(
            f"the weights of {model.name} are not those of the run: they were "
            f"{run.key.get('weights')}, and here are {found.identity}"
        )
    made = _project(project, run, model, footage, notebook)
    profile = load(made, Base, PROFILE)
    base = base_run(made, footage, profile)
    base.folder.parent.mkdir(parents=True)
    base.folder.symlink_to(run.base.resolve(), target_is_directory=True)
    again = vlm_run(made, base, footage, model, run.result.repeat)
    again.create()
    batches = Journal(run.folder / "batches.jsonl", PlannedBatch)
    Journal(again.file("batches.jsonl"), PlannedBatch).write_all(iter(batches))
    job = Job(
        notebook=made.notebooks / NOTEBOOK,
        run=again,
        parameters={
            "model": model.name,
            "changes": {},
            "video": footage.name,
            "base": PROFILE,
            "repeat": run.result.repeat,
        },
        kernel=model.kernel,
        timeout_s=model.timeout_s,
        environment=model.kernel_environment,
        withheld=_secrets(model),
    )
    return Rebuilt(made, job, tuple(_changed(project, run, again.key_inputs, model.kernel)))


def _model(project: Project, run: RecordedRun) -> Model:
    """The model with the recorded parameters, whatever its file says now."""
    settings: dict[str, Any] = dict(run.key["parameters"])
    weights = dict(settings.get("weights", {}))
    name = str(run.given.get("model") or run.result.model)
    own: dict[str, Any] = {}
    if name in names(project, Model):
        given = run.given.get("changes")
        now = load(project, Model, name, dict(given) if isinstance(given, Mapping) else None)
        # Settings outside the key: names, time limits, and the variable with a server's key.
        own = now.model_dump(mode="json")
        weights.setdefault("id", own["weights"]["id"])
        settings["server"] = {**own["server"], **settings.get("server", {})}
        _same_server(name, settings["server"], own["server"])
    if "id" not in weights:
        raise KairosError(
            f"only parameters/models/{name}.yaml says where the weights of {run.result.model} are, "
            "and it is gone: put it back"
        )
    identity = str(run.key.get("weights"))
    if weights["source"] == "hub" and identity.startswith(f"{weights['id']}@"):
        weights["revision"] = identity.rpartition("@")[2]  # That revision, not the newest.
    if weights["source"] == "path":
        weights["id"] = str(project.root / Path(weights["id"]).expanduser())
    values = {
        **own,
        **settings,
        "weights": weights,
        "name": run.result.model,
        "title": run.result.model_title,
        "base": PROFILE,
        "kernel": run.job.get("kernel", own.get("kernel", OWN)),
    }
    if weights["source"] == "server":
        values = {key: value for key, value in values.items() if key not in NOT_OF_SERVERS}
    return validate(Model, values, f"the record of {run.folder}")


def _same_server(name: str, recorded: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Check that a recorded server is the one in the user's own file.

    Raises:
        KairosError: It is another one, which would receive the user's key.
    """
    if recorded.get("base_url") != own.get("base_url"):
        raise KairosError(
            f"the run's server was {quoted(recorded.get('base_url'))}, and "
            f"parameters/models/{name}.yaml names {quoted(own.get('base_url'))}: set its base_url "
            "to the run's if you trust it"
        )


def _video(project: Project, run: RecordedRun, given: str) -> Video:
    """The run's video, under its original name.

    Raises:
        KairosError: It is missing, or has changed.
    """
    named = given or str(run.given.get("video") or run.result.video)
    found = find_video(project, named)
    if not found.path.is_file():
        raise KairosError(f"its video is no longer at {found.path}: say where with VIDEO=")
    sha256 = FileHashes(project.runs).sha256(found.path)
    if sha256 != run.video_sha256:
        raise KairosError(
            f"{found.path} is not the video of the run: its SHA-256 is {sha256[:12]}…, and was "
            f"{run.video_sha256[:12]}…: name the right one with VIDEO="
        )
    return found.model_copy(update={"name": run.result.video, "title": run.result.title})


def _project(
    project: Project, run: RecordedRun, model: Model, video: Video, notebook: dict[str, Any]
) -> Project:
    """A project with one model, one video and one notebook."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    key = run.folder.parent.name
    name = f"{run.result.model}-{run.result.video}-{key}-{run.folder.name}-{stamp}"
    made = Project((project.runs / REPRODUCED / name).resolve())
    for folder in ("models", "videos", "base"):
        (made.parameters / folder).mkdir(parents=True)
    drawings = project.parameters / "architectures"  # For dummy weights.
    if drawings.is_dir():
        (made.parameters / drawings.name).symlink_to(drawings.resolve(), target_is_directory=True)
    _write(made, "models", model.name, _as_written(model))
    _write(made, "videos", video.name, video.model_dump(mode="json", exclude={"name"}))
    profile = {"title": "What base processing found, as recorded", "stages": ["scenes"]}
    _write(made, "base", PROFILE, profile)
    made.notebooks.mkdir()
    shutil.copy(project.notebooks / "base.ipynb", made.notebooks)
    write_json(made.notebooks / NOTEBOOK, notebook)
    made.runs.mkdir()
    if (project.runs / "hashes.json").exists():  # Otherwise gigabytes are hashed again.
        shutil.copy(project.runs / "hashes.json", made.runs)
    return made


def _as_written(model: Model) -> dict[str, Any]:
    """A model as it would be in its file."""
    values = model.model_dump(mode="json", exclude={"name"})
    if model.weights.source == "server":
        return {key: value for key, value in values.items() if key not in NOT_OF_SERVERS}
    return values


def _write(project: Project, kind: str, name: str, values: dict[str, Any]) -> None:
    path = project.parameters / kind / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _secrets(model: Model) -> frozenset[str]:
    """Secrets in the environment that a model does not need: a record is not trusted with them."""
    needed = model.server.key_name if model.weights.source == "server" else None
    return frozenset(name for name in os.environ if SECRET.search(name) and name != needed)


def _notebook(project: Project, run: RecordedRun, trusted: bool) -> dict[str, Any]:
    """The notebook to run: the checkout's, unless the user trusts the record's.

    The record's notebook matches its key, but that does not say who wrote them.

    Raises:
        KairosError: The record's notebook differs and is not trusted.
    """
    own, ours = run.folder / EXECUTED, project.notebooks / NOTEBOOK
    checkouts = notebook_hash(ours)  # Raises an error if it is damaged.
    executed = read_mapping(own)
    if checkouts == run.key.get("notebook") or not executed:
        return read_mapping(ours)
    inside(run.folder, own, str(run.folder))
    try:
        cells = [_bare(cell) for cell in executed["cells"] if not _injected(cell)]
        stripped = {**executed, "cells": cells}
        recorded, differing = cells_hash(stripped), _first_other(stripped, read_mapping(ours))
    except (AttributeError, KeyError, TypeError) as error:
        raise KairosError(f"{own} is not a notebook that can be read") from error
    if recorded != run.key.get("notebook"):
        return read_mapping(ours)  # The record's was edited since, and is not the run's.
    if trusted:
        return stripped
    raise KairosError(
        f"the notebook of {run.folder} is not that of this checkout: {differing}: read it, and say "
        "TRUST_NOTEBOOK=1 to run its code here"
    )


def _first_other(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The first code cell that differs."""
    for number, (their, our) in enumerate(zip_longest(code(theirs), code(ours)), start=1):
        if their != our:
            return f"its cell {number} of code is {quoted(their)}, ours {quoted(our)}"
    return "its cells are the same"


def _injected(cell: dict[str, Any]) -> bool:
    """Whether papermill wrote it in an earlier run."""
    return "injected-parameters" in cell.get("metadata", {}).get("tags", [])


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell without its outputs."""
    return {**cell, "outputs": [], "execution_count": None} if "outputs" in cell else cell


def _changed(
    project: Project, run: RecordedRun, key_inputs: Mapping[str, Any], kernel: str
) -> list[str]:
    """What differs from the original run."""
    # Findings come from the record; weights and revision have been checked.
    then, now = (
        {name: value for name, value in of.items() if name not in ("base", "weights", "versions")}
        for of in (run.key, key_inputs)
    )
    for of in (then, now):
        of["parameters"] = {k: v for k, v in of["parameters"].items() if k != "weights"}
    noted = run.provenance
    if noted.get("packages"):
        then["packages"], now["packages"] = (
            noted["packages"],
            provenance.versions(python_of(kernel)),
        )
    else:
        then["versions"], now["versions"] = run.key.get("versions", {}), key_inputs["versions"]
    if noted.get("machine"):
        here = provenance.machine()
        known = [name for name in MACHINE if name in noted["machine"]]
        then["machine"] = {name: noted["machine"][name] for name in known}
        now["machine"] = {name: here[name] for name in known}
    if (noted.get("git") or {}).get("commit"):
        then["git"], now["git"] = noted["git"], provenance.git(project)
    lines = [str(change) for change in changes(then, now)]
    if then.get("git", {}).get("dirty"):
        lines.append("git: the run was made with changes that were not committed")
    return lines
