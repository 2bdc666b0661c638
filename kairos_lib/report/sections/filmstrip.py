"""Pictures of events: the most confident ones, and those that models disagree on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kairos_lib.events.records import SpottedEvent
from kairos_lib.report.page.html import Html, render
from kairos_lib.results.spotted import Spotted, voted

AT_MOST = 12
"""Pictures of one model's events of one video, and of those that one model alone found."""


@dataclass(frozen=True)
class ShownEvent:
    """An event with its picture."""

    label: str
    time_s: float
    note: str
    picture: str
    """Relative to the notebook, as a URL; empty where there is none."""


@dataclass(frozen=True)
class Strip:
    """Events beneath one heading."""

    title: str
    events: tuple[ShownEvent, ...]
    left_out: int


def confident(spotted: list[Spotted], notebook_folder: Path) -> Html | None:
    """What each model is surest of, in order of time."""
    strips = []
    for one in spotted:
        surest = sorted(one.events, key=lambda event: -event.confidence)[:AT_MOST]
        shown = sorted(surest, key=lambda event: event.time_s)
        if shown:
            strips.append(
                Strip(
                    f"{one.planned.model_title} on {one.planned.title}",
                    tuple(_shown(one, event, notebook_folder) for event in shown),
                    len(one.events) - len(shown),
                )
            )
    return render("filmstrip", strips=strips) if strips else None


def disputed(runs: list[Spotted], notebook_folder: Path) -> Html | None:
    """What one of several models alone found in a video: the surest first."""
    by_title = {one.planned.model_title: one for one in runs}
    agreed = voted(runs)
    alone = [next(iter(one.own.items())) for one in agreed if len(one.found_by) == 1]
    alone.sort(key=lambda one: -one[1].confidence)
    strips = [
        Strip(
            f"{runs[0].planned.title}: found by one model alone",
            tuple(
                _shown(by_title[title], event, notebook_folder, title)
                for title, event in alone[:AT_MOST]
            ),
            max(0, len(alone) - AT_MOST),
        )
    ]
    return render("filmstrip", strips=strips) if alone else None


def _shown(one: Spotted, event: SpottedEvent, folder: Path, who: str = "") -> ShownEvent:
    votes = f"{event.votes} of {event.windows} windows, confidence {event.confidence:.2f}"
    # Only a bare file name: the records might have been made elsewhere.
    path = one.thumbnails / Path(event.thumbnail).name
    there = bool(event.thumbnail) and path.is_file()
    relative = os.path.relpath(path, folder).replace(os.sep, "/")
    note = f"{who}, {votes}" if who else votes
    return ShownEvent(event.label, event.time_s, note, quote(relative) if there else "")
