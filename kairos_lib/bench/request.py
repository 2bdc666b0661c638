"""Turns a user's request for a bench into a suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos_lib.bench.suite_names import Request, name_of
from kairos_lib.errors import KairosError
from kairos_lib.options import parts
from kairos_lib.parameters.loading import expand, load, names
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project, exists, slug

AUTO = "auto"
"""The model that can load any checkpoint."""


@dataclass(frozen=True)
class BenchRequest:
    """A user's request for a bench; empty fields were not given."""

    suite: str = ""
    model: str = ""
    """Several, separated by commas."""
    video: str = ""
    """Likewise."""
    base: str = ""
    repeats: int = 0
    weights: str = ""
    """`dummy` for random weights of the full size."""
    model_id: str = ""
    """Any checkpoint on the hub or on this machine, for the model `auto`."""


def suite_of(project: Project, asked: BenchRequest) -> Suite:
    """The suite that a user asks for: a named one, or one made of models and videos.

    Raises:
        KairosError: What was asked for does not exist, or is incomplete.
    """
    if asked.weights not in ("", "own", "dummy"):
        raise KairosError(f"WEIGHTS={asked.weights}: there are only own and dummy weights")
    suite = _named(project, asked) if asked.suite else _together(project, asked)
    dummy = asked.weights == "dummy"
    base = asked.base if asked.base and asked.base != _own_base(project, suite) else ""
    # A separate report beside those of the same models and videos with other settings.
    request = Request(
        suite=asked.suite,
        models=parts(asked.model),
        videos=video_parts(asked.video),
        model_id=asked.model_id,
        base=base,
        dummy=dummy,
    )
    titles = [
        suite.title,
        *([f"base {base}"] if base else []),
        *(["dummy weights"] if dummy else []),
    ]
    changes: dict[str, Any] = {"name": name_of(project, request), "title": ", ".join(titles)}
    if asked.base:
        changes["base"] = asked.base
    if asked.repeats:
        changes["repeats"] = asked.repeats
    if asked.weights:
        changes["weights"] = asked.weights
    return suite.model_copy(update=changes)


def _own_base(project: Project, suite: Suite) -> str:
    """The base profile of a suite if none is given; empty if its models differ."""
    if suite.base:
        return suite.base
    models = expand(suite.models, names(project, Model), "model")
    bases = {load(project, Model, name).base for name in models}
    return bases.pop() if len(bases) == 1 else ""


def _named(project: Project, asked: BenchRequest) -> Suite:
    """A suite of `parameters/suites`, with other models and videos if given."""
    suite = load(project, Suite, asked.suite)
    if asked.model_id:
        raise KairosError("MODEL_ID goes with MODEL=auto and VIDEO, not with a SUITE")
    other = {"models": parts(asked.model), "videos": video_parts(asked.video)}
    return suite.model_copy(update={k: v for k, v in other.items() if v})


def _together(project: Project, asked: BenchRequest) -> Suite:
    if asked.model_id and asked.model not in ("", AUTO):
        raise KairosError(f"MODEL_ID goes with MODEL={AUTO}, not with MODEL={asked.model}")
    models = (AUTO,) if asked.model_id else parts(asked.model)
    videos = video_parts(asked.video)
    if not (models and videos):
        missing = "MODEL" if not models else "VIDEO"
        known = names(project, Model if not models else Video)
        raise KairosError(f"{missing} is not given: name one of {', '.join(known)}, or a SUITE")
    stems = [v if v in names(project, Video) else slug(Path(v).stem) for v in videos]
    shown = [slug(asked.model_id)] if asked.model_id else models
    return Suite(
        name="",
        title=f"{', '.join(shown)} on {', '.join(stems)}",
        models=models,
        videos=videos,
        variants={shown[0]: by_id(asked.model_id)} if asked.model_id else {},
    )


def by_id(model_id: str) -> Changes:
    """Changes that make the model `auto` another one."""
    folder = Path(model_id).expanduser()
    if exists(folder):
        weights = {"source": "path", "id": str(folder.absolute())}
    elif model_id.startswith(("/", ".", "~")):
        raise KairosError(f"MODEL_ID={model_id}: there is no such folder")
    else:
        weights = {"source": "hub", "id": model_id}
    return {"name": slug(model_id), "title": model_id, "weights": weights}


def video_parts(text: str) -> tuple[str, ...]:
    """The videos of a user's VIDEO: names and paths with commas between."""
    # A file name can contain a comma; then it is one video.
    return (text,) if text and exists(text) else parts(text)
