"""`kairos compare`: exit code 0, 1 for a regression, 2 if nothing could be decided."""

from __future__ import annotations

import sys

import click

from kairos_lib.errors import KairosError
from kairos_lib.options import flag, parts, share
from kairos_lib.project import Project


@click.command()
@click.argument("a", envvar="KAIROS_A", required=False)
@click.argument("b", envvar="KAIROS_B", required=False)
@click.option("--model", envvar="KAIROS_MODEL", help="Only this model; several with commas.")
@click.option(
    "--threshold", envvar="KAIROS_THRESHOLD", help="A regression is this much slower; 0.05 = 5 %."
)
@click.option(
    "--json", "as_json", envvar="KAIROS_JSON", is_flag=False, flag_value="1", callback=flag,
    help="Print JSON.",
)  # fmt: skip
def compare(
    a: str | None, b: str | None, model: str | None, threshold: str | None, as_json: bool
) -> None:
    """Report whether B is faster or slower than A, over the same scenes.

    A and B are each a suite of this checkout (`demo`), one of a folder of runs or of another
    checkout (`../other:demo`), or a suite's JSON file; `:MODEL` at the end takes one model of it,
    so that two models of a suite can be compared (`demo:nano` and `demo:nano-4bit`).

    Exit code 1: B is a regression. 2: it could not be decided.
    """
    from rich.console import Console

    from kairos_lib.compare import show
    from kairos_lib.compare.comparison import compare as compared
    from kairos_lib.compare.named_runs import open_named_runs
    from kairos_lib.statistics.decision import LEAST_ROUNDS, THRESHOLD

    least = share("THRESHOLD", threshold, THRESHOLD)
    project = Project.find()
    sides = open_named_runs(project, "A", a or ""), open_named_runs(project, "B", b or "")
    found = compared(*sides, least, parts(model or ""))
    if as_json:
        click.echo(show.as_json(found))
    else:
        console = Console()
        if not console.is_terminal:
            console.width = max(console.width, show.LEAST_WIDTH)
        show.show(found, console)
    if found.regressions:
        sys.exit(1)
    if not found.deciding:
        raise KairosError(
            f"too few rounds to decide: A and B must share at least {LEAST_ROUNDS}, "
            "make bench REPEATS=5 runs five"
        )
