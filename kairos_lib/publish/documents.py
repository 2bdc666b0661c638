"""The documents of a video for a database: plain JSON values with ids, digests and sizes.

Pure: does not know where they go. All documents of a video share its `video_id`, the hash of its
content, and are a function of its runs alone: made twice, they are equal.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from kairos_lib import __version__
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import scene_number
from kairos_lib.names import quoted
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.publish import whole
from kairos_lib.results.step_runs import BaseRun
from kairos_lib.results.suite import SuiteData

Document = dict[str, Any]
MOST_OPERATIONS = 100
"""Of one transactional batch of Azure Cosmos DB."""
LARGEST_BYTES = 2_000_000
"""Of a document and of a batch there. The documentation says 2 MB and not which: this is less than
either, and it is checked here because an emulator may accept more."""
ENVELOPE_BYTES = 400
"""More than an operation adds to its document in a batch: its kind, its id, commas."""
OF_DATABASE = frozenset({"id", "video_id", "digest", "ttl"})
"""Names that an analyzer's fields cannot have, besides those with `_`; `ttl` would delete it."""


@dataclass(frozen=True)
class Edition:
    """All documents of a video, as they should be."""

    title: str
    video: Document
    """The video's own document, to be written last."""
    digests: Mapping[str, str]
    """Of its scenes' documents, by their ids."""
    again: Callable[[], Iterator[Document]]
    """Its scenes' documents, read anew, so that memory does not grow with a video's length."""

    @property
    def video_id(self) -> str:
        """The hash of its content: also the partition key, and the id of its own document."""
        return str(self.video["id"])

    @property
    def digest(self) -> str:
        """Of all its documents."""
        return str(self.video["digest"])


class Operation(NamedTuple):
    """One change of the scenes of a video."""

    kind: Literal["upsert", "delete"]
    target: Document | str
    """A document, or the id of the one to delete."""
    size_bytes: int


def edition(suite: SuiteData, base: BaseRun, result: BaseResult, said: whole.Said) -> Edition:
    """Make a video's documents, and check each of them before any is written.

    Args:
        suite: The suite of the video.
        base: Its base processing.
        result: The results of that.
        said: A run of each model, and its captions by scene.

    Raises:
        KairosError: A finding cannot be read, or a document cannot be written to a database.
    """
    video_id = _id(result.facts.sha256, base.planned.title)

    def scenes() -> Iterator[Document]:
        return (_scene(video_id, result.key, one) for one in whole.scenes(base, said))

    digests = {}
    for scene in scenes():
        what = f"scene {scene_number(scene['scene']['index'])} of {base.planned.title}"
        _checked_size(scene, what)
        digests[scene["id"]] = scene["digest"]
    models = {one.model: one.model_dump(mode="json") for one in whole.models(suite, said)}
    video = {
        "id": video_id,
        "video_id": video_id,
        "kairos": __version__,
        "name": base.planned.video,
        "title": base.planned.title,
        "duration_s": result.facts.duration_s,
        "scenes": len(digests),
        "base_key": result.key,
        "base": whole.video(suite, base, result).model_dump(mode="json"),
        "models": models,
    }
    video["digest"] = _digest(video, base.planned.title, *digests.values())
    _checked_size(video, f"the document of {base.planned.title}")
    return Edition(base.planned.title, video, digests, scenes)


def changes(wanted: Edition, there: Mapping[str, str]) -> Iterator[Operation]:
    """What turns the scenes that a database has of a video into those it should have.

    Args:
        wanted: The video's documents.
        there: The digests of the scenes' documents that the database has, by their ids.

    Yields:
        Deletions of scenes left from an earlier edition, then scenes that are missing or differ.
    """
    for scene_id in there:
        if scene_id not in wanted.digests:
            yield Operation("delete", scene_id, ENVELOPE_BYTES)
    for scene in wanted.again():
        if there.get(scene["id"]) != scene["digest"]:
            yield Operation("upsert", scene, len(text(scene)) + ENVELOPE_BYTES)


def batches(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """Operations in their order, in batches that a database takes as one transaction."""
    batch: list[Operation] = []
    size_bytes = 0
    for operation in operations:
        too_large = size_bytes + operation.size_bytes > LARGEST_BYTES
        if batch and (too_large or len(batch) == MOST_OPERATIONS):
            yield batch
            batch, size_bytes = [], 0
        batch.append(operation)
        size_bytes += operation.size_bytes
    if batch:
        yield batch


def text(document: Document) -> str:
    """As JSON on one line, in ASCII: no client sends it longer.

    Raises:
        ValueError: A number in it is NaN or infinite.
    """
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _id(sha256: str, title: str) -> str:
    # From a file that may have been changed by hand; an id must not hold any of `/ \\ ? #`.
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise KairosError(f"the hash of {title} is {quoted(sha256)}: run it again with FRESH=1")
    return sha256


def _scene(video_id: str, base_key: str, scene: whole.SceneOfVideo) -> Document:
    """One scene, with each model's caption under the model's name."""
    fields = scene.model_dump(mode="json", exclude={"captions"})
    if taken := sorted(n for n in fields if n in OF_DATABASE or n.startswith("_")):
        raise KairosError(
            f"an analyzer exports a field called {quoted(taken[0])}, which a database uses "
            "itself: rename it in exported_data"
        )
    document = {
        "id": f"{video_id}-{scene.scene.index:06d}",
        "video_id": video_id,
        "base_key": base_key,
        **fields,
        "captions": {
            one.model: {"badges": list(one.badges), **one.caption.model_dump(mode="json")}
            for one in scene.captions
        },
    }
    what = f"scene {scene.scene.number} of video {video_id[:12]}"
    document["digest"] = _digest(document, what)
    return document


def _digest(document: Document, what: str, *more: str) -> str:
    try:
        content = "\n".join([text(document), *more])
    except ValueError as error:
        raise KairosError(
            f"{what} holds a number that is NaN or infinite, which JSON has no word for: run it "
            "again with FRESH=1"
        ) from error
    return hashlib.sha256(content.encode()).hexdigest()


def _checked_size(document: Document, what: str) -> None:
    size = len(text(document)) + ENVELOPE_BYTES
    if size > LARGEST_BYTES:
        raise KairosError(
            f"{what} is {size / 1e6:.1f} MB as JSON, and a database takes "
            f"{LARGEST_BYTES / 1e6:.0f} MB: find less in it (objects.frames_per_second), or make "
            "shorter scenes"
        )
