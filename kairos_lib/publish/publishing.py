"""Implements `kairos publish`: puts a suite's videos into a store, one after the other.

Does not know the stores. A video that is there already, unchanged, is not written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kairos_lib import formats
from kairos_lib.errors import KairosError, closest
from kairos_lib.names import inside
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.publish.chosen import Chosen, LeftOut, captioned, choose, no_result
from kairos_lib.publish.documents import Edition, edition
from kairos_lib.publish.store import PUBLISHING, Store
from kairos_lib.results.step_runs import BaseRun, read_base, read_vlm
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs import locks
from kairos_lib.runs.files import read_record
from kairos_lib.runs.key_difference import key_inputs
from kairos_lib.runs.manifest import Manifest, PlannedBase, PlannedVlm
from kairos_lib.vlm.records import VlmResult

R = TypeVar("R", BaseResult, VlmResult)
WAIT_S = 600.0
"""For another process that publishes the same video."""
PLACES = ("cosmos", "jsonl:FOLDER")


@dataclass(frozen=True)
class Published:
    """A video whose documents are all there."""

    title: str
    video_id: str
    scenes: int
    models: int
    changed: int
    """Documents of scenes that were written or deleted."""
    was_there: bool
    """Whether it was complete before, so that nothing was written."""

    @property
    def in_words(self) -> str:
        """What became of it, for a line of output."""
        holds = f"{formats.count(self.scenes, 'scene')}, {formats.count(self.models, 'model')}"
        state = "already there" if self.was_there else f"{self.changed:,} written or deleted"
        return f"{self.title}: {holds}, {state}: {self.video_id}"


def opened(project: Project, place: str) -> Store:
    """The store that a user named.

    Args:
        project: Where limits of services are kept.
        place: `cosmos`, or `jsonl:` and a folder.

    Raises:
        KairosError: There is no such place, or it cannot be used.
    """
    kind, _, folder = place.partition(":")
    if kind == "jsonl" and folder:
        from kairos_lib.publish.json_lines import JsonLines

        return JsonLines(Path(folder).expanduser())
    if place == "cosmos":
        from kairos_lib.publish import cosmos

        return cosmos.opened(project)
    if not place or kind == "jsonl":
        raise KairosError(f"TO names no place: give one of {', '.join(PLACES)}")
    raise KairosError(f"TO={place} is unknown: {closest(place, PLACES, list_known=True)}")


def publish(suite: SuiteData, chosen: Chosen, store: Store) -> Iterator[Published | LeftOut]:
    """Publish a suite's videos.

    Args:
        suite: The runs.
        chosen: Which of them; a video's documents have the captions of these models and no others.
        store: Where to.

    Yields:
        What became of each video, and before it the models that have no result on it.

    Raises:
        KairosError: The store failed.
    """
    by_content: dict[str, BaseRun] = {}
    for base in chosen.bases:
        title = base.planned.title
        if base.result is None:
            yield LeftOut(title, no_result(base))
            continue
        first = by_content.setdefault(base.result.facts.sha256, base)
        if first is not base:
            yield LeftOut(title, f"it is the same film as {first.planned.title}: name one in VIDEO")
            continue
        yield from _one(suite, chosen, base, base.result, store)


def publish_video(suite: SuiteData, store: Store) -> Published:
    """Publish the only video of a suite, such as one of `of_runs`.

    Raises:
        KairosError: It has no result, or the store failed.
    """
    problem = "there is no video"
    for one in publish(suite, choose(suite, (), ()), store):
        if isinstance(one, Published):
            return one
        problem = f"{one.what}: {one.why}"
    raise KairosError(problem)


def of_runs(project: Project, base: str, vlms: tuple[str, ...] = ()) -> SuiteData:
    """The runs on one video as a suite of their own.

    Args:
        project: The project.
        base: The folder of its base run, relative to the project.
        vlms: The folders of the models' runs.

    Raises:
        KairosError: A folder is not of this project's runs, has no result, or belongs to another
            base run.
    """
    result = _result(project, base, BaseResult)
    captions = {folder: _result(project, folder, VlmResult) for folder in vlms}
    for folder in captions:
        if key_inputs(project.root / folder).get("base") != result.key:
            raise KairosError(f"{folder} did not get the findings of {base}: its scenes are others")
    known = PlannedBase(video=result.video, title=result.title, folder=base)
    runs = tuple(
        PlannedVlm(
            model=one.model,
            model_title=one.model_title,
            video=result.video,
            repeat=one.repeat,
            folder=folder,
        )
        for folder, one in captions.items()
    )
    plan = Manifest(name=result.video, title=result.title, repeats=1, steps=(known, *runs))
    return SuiteData(
        project, plan, (read_base(project, known),), tuple(read_vlm(project, run) for run in runs)
    )


def _result(project: Project, folder: str, kind: type[R]) -> R:
    path = inside(project.runs, project.root / folder, "what is to be published")
    found = read_record(path / "result.json", kind)
    if found is None:
        raise KairosError(f"{folder} has no result.json: it is not done")
    return found


def _one(
    suite: SuiteData, chosen: Chosen, base: BaseRun, result: BaseResult, store: Store
) -> Iterator[Published | LeftOut]:
    said, left_out = captioned(chosen, base.planned.video)
    yield from left_out
    try:
        wanted = edition(suite, base, result, said)
    except KairosError as error:
        yield LeftOut(base.planned.title, str(error))
        return
    with _alone(suite.project, wanted):
        was_there = store.digest(wanted.video_id) == wanted.digest
        changed = 0 if was_there else store.write(wanted)
    yield Published(
        wanted.title, wanted.video_id, len(wanted.digests), len(said), changed, was_there
    )


@contextmanager
def _alone(project: Project, wanted: Edition) -> Iterator[None]:
    """Two that publish a video at once would mix their scenes, and each call it complete."""
    refusal = f"another process is publishing {wanted.title}: run the same command again later"
    folder = project.runs / PUBLISHING / wanted.video_id
    lock = locks.take(folder, locks.WRITER, WAIT_S, refusal)
    try:
        yield
    finally:
        lock.release()
