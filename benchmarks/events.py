"""The benchmarks of event spotting: `make perf-events`, or `python -m benchmarks.events --help`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmarks.base import RESULTS, check, say
from benchmarks.table import Page
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads

NAMES = ("scoring",)


@click.command()
@click.option("--name", envvar="KAIROS_NAME", default="", help=f"One of {', '.join(NAMES)}.")
@click.option("--rounds", envvar="KAIROS_ROUNDS", default=5, show_default=True, type=int)
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where the tables are written.",
)  # fmt: skip
def main(name: str, rounds: int, out: Path) -> None:
    """Measure event spotting and write the tables; all benchmarks unless one is named."""
    threads.settle()
    try:
        check(name, NAMES, rounds)
        for each in (name,) if name else NAMES:
            page = _run(each, rounds)
            path = page.write(out, each)
            click.echo(page.text())
            click.echo(f"written to {path}")
    except KairosError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(1)


def _run(name: str, rounds: int) -> Page:
    from benchmarks import scoring

    return scoring.run(rounds, f"make perf-events NAME={name} ROUNDS={rounds}", say)


if __name__ == "__main__":
    main()
