"""Events of a suite's runs, as files for other programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.events.formats import write_chapters, write_csv, write_soccernet
from kairos_lib.publish.names import FileNames
from kairos_lib.results.spotted import Spotted, spotted
from kairos_lib.results.suite import SuiteData

WRITERS = {
    "chapters": ("chapters.vtt", write_chapters),
    "soccernet": ("soccernet.json", write_soccernet),
    "csv": ("events.csv", write_csv),
}
"""By format: how file names end, and what writes them."""


def write(
    suite: SuiteData,
    kind: str,
    models: Collection[str],
    videos: Collection[str],
    folder: Path,
    names: FileNames,
) -> Iterator[tuple[Spotted, Path | None, str]]:
    """Write a file for each model and video.

    Returns:
        Each run with its file or, if there is none, the reason.
    """
    ending, writer = WRITERS[kind]
    for one in spotted(suite):
        if one.planned.model not in models or one.planned.video not in videos:
            continue
        if one.result is None:
            outcome = one.run.outcome
            yield one, None, f"{outcome.reason}: {outcome.message}".removesuffix(": ")
            continue
        path = folder / names.take(one.planned.video, one.planned.model, ending)
        try:
            writer(path, one.events)
        except KairosError as error:
            yield one, None, str(error)
        else:
            yield one, path, ""
