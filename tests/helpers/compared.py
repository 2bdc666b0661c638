"""Suites to be compared: rounds with the times, machines and starts that a test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.suites import MACHINE, SuiteMaker
from kairos_lib.runs.files import write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.status import Status
from kairos_lib.vlm.records import Caption, Timing

NOISE = (1.0, 1.02, 0.99, 1.01, 0.98)
"""What five rounds of the same thing take, by the first."""


def rounds(
    maker: SuiteMaker,
    model: str = "small",
    video: str = "match",
    times_s: Sequence[float] = NOISE,
    later_min: int = 0,
    **done: Any,
) -> list[Path]:
    """Rounds of a model, ten minutes apart, with a single-stream sample of the first two scenes.

    Args:
        maker: Whose suite they are part of; the video has been made.
        model: Its name.
        video: Likewise.
        times_s: Offline time of each round; a scene on its own takes a tenth of it.
        later_min: Minutes after the start of each ten.
        done: Handed on to `SuiteMaker.done`.
    """
    folders = []
    for number, time_s in enumerate(times_s, start=1):
        folder = maker.done(
            model, done.get("title", model.title()), video, number, time_s=time_s,
            machine=done.get("machine", MACHINE), **{
                k: v for k, v in done.items() if k not in ("title", "machine")
            },
        )  # fmt: skip
        alone = Journal(folder / "single_stream.jsonl", Caption)
        alone.write_all(
            Caption(scene=n, text="A ball.", timing=Timing(total_s=time_s / 10)) for n in range(2)
        )
        minute = 10 * (number - 1) + later_min
        begin(folder, f"2026-03-02T{10 + minute // 60:02d}:{minute % 60:02d}:00.000+00:00")
        folders.append(folder)
    return folders


def begin(folder: Path, started_at: str) -> None:
    """Say when a run was started."""
    write_record(folder / "status.json", Status(state="done", started_at=started_at))


def change_json(path: Path, **values: Any) -> None:
    """Put other values into a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def times(factor: float, noise: Sequence[float] = NOISE) -> list[float]:
    """Rounds that take longer by a factor, with noise in another order."""
    return [factor * each for each in (*noise[2:], *noise[:2])]
