"""Scores the whole nano set on unseen clips: `python -m workshop.nano.score`.

Clips are rendered and encoded from seeds that no training drew from, and taken through the very
stages of base processing that any video goes through. A target that is missed gives exit code 1.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load
from kairos_lib.project import Project
from workshop.nano import (
    score_ast,
    score_events,
    score_llava,
    score_scenes,
    score_whisper,
    score_yolo,
)
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed, processed
from workshop.nano.voice import NoVoiceError

log = logging.getLogger("kairos.nano")

PROFILE = "nano"

Part = Callable[[Sequence[Processed], Base], list[Line]]

PARTS: dict[str, Part] = {
    "scenes": lambda clips, profile: score_scenes.lines(clips),
    "objects": score_yolo.lines,
    "sounds": lambda clips, profile: score_ast.lines(clips),
    "speech": lambda clips, profile: score_whisper.lines(clips),
    "captions": lambda clips, profile: score_llava.lines(clips),
}
"""What is scored, in the order of the table: a function of the processed clips for each."""
EVENTS = "events"
"""Is scored on matches of its own, last."""


@click.command()
@click.option("--clips", default=20, show_default=True, help="Unseen clips of six scenes each.")
@click.option("--first-seed", default=800, show_default=True, help="Seed of the first clip.")
@click.option(
    "--only",
    type=click.Choice([*PARTS, EVENTS]),
    multiple=True,
    help="Score this alone; can be given again.",
)
def main(clips: int, first_seed: int, only: tuple[str, ...]) -> None:
    """Score the nano models through the stages of base processing, on clips never seen."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    profile = load(Project.find(), Base, PROFILE)
    with tempfile.TemporaryDirectory() as folder:
        done: list[Processed] = []
        wanted = [name for name in PARTS if not only or name in only]
        for seed in range(first_seed, first_seed + (clips if wanted else 0)):
            try:
                done.append(processed(seed, profile, Path(folder) / str(seed)))
            except NoVoiceError as error:
                raise click.ClickException(str(error)) from error
            log.info("processed clip %d of %d", len(done), clips)
        lines = [line for name in wanted for line in PARTS[name](done, profile)]
        if not only or EVENTS in only:
            lines += score_events.lines()
    Console().print(table_of(lines))
    if any(line.missed for line in lines):
        raise SystemExit(1)


def table_of(lines: Sequence[Line]) -> Table:
    """The scores as they are shown on a terminal."""
    table = Table("model", "measure", "of", title="The nano set on unseen clips")
    for name in ("score", "target"):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        target = "" if line.target is None else f"{line.target:.2f}"
        verdict = "" if line.target is None else "[red]missed[/]" if line.missed else "[green]ok[/]"
        table.add_row(line.model, line.measure, line.of, f"{line.value:.3f}", target, verdict)
    return table


if __name__ == "__main__":
    main()
