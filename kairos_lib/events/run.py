"""The run of a model that looks for events in a video: its folder, and what its key is made of."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.events.asking import WINDOWS
from kairos_lib.events.records import WindowAnswer
from kairos_lib.launch.kernels import python_of
from kairos_lib.measure.provenance import key_versions
from kairos_lib.media.container import check_file
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.spotting import Share, Spotting
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.key_difference import key_inputs as inputs_of
from kairos_lib.runs.notebook_code import notebook_hash
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import Run
from kairos_lib.vlm import engine
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.run import device_of, not_in_key
from kairos_lib.weights.location import find

NOTEBOOK = "events.ipynb"
VERSION = 2
"""Raised whenever the same answers would give other events, or windows be asked about otherwise."""
FOLDER = "events"
SLICES = "slices"
BATCHES = "batches.json"
# Of captions alone: the task says what is asked about windows.
OF_CAPTIONS = ("frames", "prompt", "generation", "batch_size", "single_stream_scenes")
# What answers do not depend on; what becomes of them goes by `MERGING`.
NOT_ASKED = ("name", "title", "batch_size", "tolerance_s", "model_weights")
MERGING = ("merge_radius_s", "time_from")


class FixedBatch(Record):
    """The size of batches, which whoever began the run has settled for all its slices."""

    windows: int


def events_run(
    project: Project, video: Video, model: Model, spotting: Spotting, part: Share
) -> Run:
    """The run of a model over a video: its folder and what its key is made of.

    Raises:
        KairosError: The video is not there or is not a file with something in it.
    """
    check_file(video.path, repr(project.relative(video.path)))
    task = spotting.model_dump(mode="json", exclude=set(NOT_ASKED))
    key_inputs = {
        "video_sha256": FileHashes(project.runs).sha256(video.path),
        "part": [part.from_s, part.to_s],
        "parameters": model.model_dump(
            mode="json", exclude={**not_in_key(model), **dict.fromkeys(OF_CAPTIONS, True)}
        ),
        "task": {name: value for name, value in task.items() if name not in MERGING},
        "merging": {name: task[name] for name in MERGING},
        "family": find_family(model.family).version,
        "engine": engine.VERSION,
        "events": VERSION,
        "weights": find(project, model.weights).identity,
        "notebook": notebook_hash(project.notebooks / NOTEBOOK),
        "versions": key_versions(python_of(model.kernel)),
        "device": device_of(model),
    }
    run = Run(Path(), key_inputs)
    return Run(project.runs / FOLDER / model.name / video.name / run.key, key_inputs)


def slice_run(run: Run, part: Share) -> Run:
    """The run of one slice, in a folder of its own within the whole run's.

    Args:
        run: The whole one, which slice 0 is.
        part: Which slice.
    """
    if not part.slice:
        return run
    folder = run.folder / SLICES / f"{part.slice:04d}-of-{part.slices:04d}"
    return Run(folder, {**run.key_inputs, "slice": [part.slice, part.slices]})


def whole_folder(folder: Path) -> Path:
    """The folder of the whole run that one of a slice lies in; of a whole run, its own."""
    return folder.parent.parent if folder.parent.name == SLICES else folder


def answers_of(folder: Path) -> list[WindowAnswer]:
    """What is answered in a run's folder, its slices' answers included, in order of the windows.

    Args:
        folder: Of the whole run.
    """
    found: dict[int, WindowAnswer] = {}
    for path in (folder / WINDOWS, *sorted((folder / SLICES).glob(f"*/{WINDOWS}"))):
        for answer in Journal(path, WindowAnswer):
            found.setdefault(answer.window, answer)
    return [found[number] for number in sorted(found)]


def same_answers(run: Run) -> Path | None:
    """The windows of a complete run that asked just the same and merged otherwise, if any."""
    asked = _asked(json.loads(json.dumps(run.key_inputs)))  # As a file has them.
    for path in sorted(run.folder.parent.glob(f"*/{WINDOWS}")):
        other = path.parent
        complete = (other / "result.json").is_file() and "superseded" not in other.name
        if complete and other != run.folder and _asked(inputs_of(other)) == asked:
            return path
    return None


def _asked(key_inputs: Any) -> dict[str, Any]:
    return {name: value for name, value in key_inputs.items() if name != "merging"}


def fixed_batch_size(run: Run, asked: int) -> int:
    """The size of batches of a run: as asked where it begins, and ever after as it began.

    Whoever is first settles it, on whatever machine: a link is made that must not be there yet.
    """
    run.create()
    path = run.file(BATCHES)
    own = run.file(f".{uuid.uuid4().hex}.json")
    write_record(own, FixedBatch(windows=asked))
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
    found = read_record(path, FixedBatch)
    if found is None or found.windows < 1:
        raise KairosError(f"{path} says no size of batches: remove it, or run with FRESH=1")
    return found.windows
