"""The command of a set of benchmarks that takes a name and a number of rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.base import RESULTS, check
from benchmarks.table import Page
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads


def command(what: str, names: tuple[str, ...], run: Callable[[str, int], Page]) -> click.Command:
    """Make one.

    Args:
        what: Is measured.
        names: Of its benchmarks.
        run: Runs one of them, in so many rounds.
    """

    @click.command(help=f"Measure {what} and write the tables; all benchmarks unless one is named.")
    @click.option("--name", envvar="KAIROS_NAME", default="", help=f"One of {', '.join(names)}.")
    @click.option("--rounds", envvar="KAIROS_ROUNDS", default=5, show_default=True, type=int)
    @click.option(
        "--out", default=RESULTS, show_default="benchmarks/results",
        type=click.Path(file_okay=False, path_type=Path), help="Where the tables are written.",
    )  # fmt: skip
    def main(name: str, rounds: int, out: Path) -> None:
        threads.settle()
        try:
            check(name, names, rounds)
            for each in (name,) if name else names:
                page = run(each, rounds)
                path = page.write(out, each)
                click.echo(page.text())
                click.echo(f"written to {path}")
        except KairosError as error:
            click.echo(f"benchmark: {error}", err=True)
            sys.exit(1)

    return main
