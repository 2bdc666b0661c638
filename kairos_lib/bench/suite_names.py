"""Names of suites that a user puts together, and so of their report folders.

Different requests have different names, so that no report replaces another. A name that can be read
in only one way stays plain; any other gets digits of the request's hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import names
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.project import SLUG_CHARS, Project, slug

DUMMY = "dummy"
BASE = "base-"
HASH_DIGITS = 6


@dataclass(frozen=True)
class Request:
    """A user's request, as far as it affects the report."""

    suite: str = ""
    models: tuple[str, ...] = ()
    """As given, patterns included."""
    videos: tuple[str, ...] = ()
    """Names and patterns as given, files by their paths."""
    model_id: str = ""
    base: str = ""
    """If it is not the models' or the suite's own."""
    dummy: bool = False


def name_of(project: Project, request: Request) -> str:
    """The name of a request's suite."""
    if not (request.models or request.videos or request.base or request.dummy):
        return request.suite
    known = names(project, Video)
    models = (request.model_id,) if request.model_id else request.models
    videos = [video if video in known else Path(video).stem for video in request.videos]
    base = f"{BASE}{request.base}" if request.base else ""
    parts = [request.suite, *models, *videos, base, DUMMY if request.dummy else ""]
    text = "-".join(slug(part) for part in parts if part)
    # Unambiguous by itself: not a pattern, and not a file of which only the stem is shown.
    by_name = {*request.models} <= {*names(project, Model)} and {*request.videos} <= {*known}
    plain = by_name and not request.model_id and len(text) <= SLUG_CHARS
    if plain and _readings(text, _grammar(project)) == 1:
        return text
    content = json.dumps(
        {**asdict(request), "videos": [_place(project, v) for v in request.videos]}
    )
    digits = hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_DIGITS]
    return f"{text[:SLUG_CHARS].rstrip('-')}-{digits}"


def _place(project: Project, video: str) -> str:
    """What identifies a video: its name, or its path."""
    if video in names(project, Video):
        return video
    return project.relative(Path(video).expanduser().absolute())


def _grammar(project: Project) -> list[tuple[list[str], bool]]:
    """What can be part of a name, in this order, and whether more than once."""
    kinds = ((Suite, False), (Model, True), (Video, True))
    slots = [([slug(name) for name in names(project, kind)], often) for kind, often in kinds]
    bases = [slug(f"{BASE}{name}") for name in names(project, Base)]
    return [*slots, (bases, False), ([DUMMY], False)]


def _readings(text: str, slots: Sequence[tuple[list[str], bool]]) -> int:
    """In how many ways a name can be read as a sequence of parts."""
    if not text:
        return 1
    if not slots:
        return 0
    (parts, often), *rest = slots
    count = _readings(text, rest)
    for part in parts:
        if text == part:
            count += 1
        elif text.startswith(f"{part}-"):
            count += _readings(text[len(part) + 1 :], slots if often else rest)
    return count
