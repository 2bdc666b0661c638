"""What tasks of a submission have found up to now, put together as it will be in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kairos_lib import formats
from kairos_lib.bench.verdicts import Verdicts
from kairos_lib.errors import KairosError
from kairos_lib.events.merging import merged
from kairos_lib.events.planned import PlannedEvents
from kairos_lib.events.run import answers_of, whole_folder
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.project import Project


def events_so_far(project: Project, verdicts: Verdicts) -> Iterator[str]:
    """A line for each model and video of which some windows are answered."""
    for number, task in enumerate(verdicts.submission.tasks):
        if task.planned.kind != PlannedEvents.of_kind:
            continue
        folders = (verdicts.planned(each).folder for each in (number, *task.after))
        begun = next((folder for folder in folders if folder), "")
        if not begun:
            continue
        spotting = Spotting.model_validate_json(
            PlannedEvents.model_validate(task.planned.model_dump()).task
        )
        try:
            answers = answers_of(whole_folder(project.root / Path(begun)))
            found = merged(answers, spotting)
        except KairosError:
            continue  # Read while it is put away: the next look sees more.
        if answers:
            yield (
                f"{task.planned.in_words} so far: {len(found):,} in "
                f"{formats.count(len(answers), 'window')}"
            )
