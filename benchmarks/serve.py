"""The benchmarks of the service: `make perf-serve` and `make chaos-serve`."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.base import RESULTS, check
from benchmarks.harness import LEAST_ROUNDS
from benchmarks.table import Page, markdown
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.options import parts

NAMES = ("chaos", "chaos-nano", "residency", "overhead", "throughput")
CHAOS_JOBS = 200
NANO_JOBS = 20
WAIT_S = 0.2


@click.command()
@click.option("--name", envvar="KAIROS_NAME", default="", help=f"Of {', '.join(NAMES)}.")
@click.option("--rounds", envvar="KAIROS_ROUNDS", default=5, show_default=True, type=int)
@click.option("--jobs", default=CHAOS_JOBS, show_default=True, help="For `chaos`.")
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where the tables are written.",
)  # fmt: skip
def main(name: str, rounds: int, jobs: int, out: Path) -> None:
    """Measure the service and write the tables; all benchmarks unless one is named."""
    threads.settle()
    try:
        chosen = parts(name) or NAMES
        for each in chosen:
            check(each, NAMES, rounds)
        for each in chosen:
            with tempfile.TemporaryDirectory(prefix="kairos-") as folder:
                page = _page(each, Path(folder), rounds, jobs)
            path = page.write(out, f"serve-{each}")
            click.echo(page.text())
            click.echo(f"written to {path}")
    except KairosError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(1)


def _page(name: str, root: Path, rounds: int, jobs: int) -> Page:
    if name.startswith("chaos"):
        return _chaos(root, jobs if name == "chaos" else 0)
    page = Page(_TITLES[name], f"make perf-serve NAME={name} ROUNDS={rounds}", rounds)
    {"residency": _residency, "overhead": _overhead, "throughput": _throughput}[name](page, root)
    return page


_TITLES = {
    "residency": "The first video of a service, and the second",
    "overhead": "What the service costs beside the pipeline",
    "throughput": "Jobs a minute",
}


def _chaos(root: Path, jobs: int) -> Page:
    """Jobs that wait, or of the nano models where there are none of those."""
    from benchmarks import chaos

    page = Page("Jobs whose processes are killed", "make chaos-serve", rounds=LEAST_ROUNDS)
    page.add(
        "Two workers a group, each with a process that holds the models. Every ten seconds one "
        "process is killed with SIGKILL: in turns one with models, the coordinator and a worker, "
        "and once Redis. Whatever ends is started again."
    )
    if jobs:
        found = chaos.waiting(root, jobs, WAIT_S)
        page.add(f"Two analyzers that wait {WAIT_S} s each, and the scenes.")
    else:
        found = chaos.nano(root, NANO_JOBS)
        page.add(f"The nano models, on clips of {chaos.CLIP_S:.0f} s.")
    page.add(markdown(_HEAD, chaos.table(found)))
    click.echo(page.text())
    found.check()
    return page


_HEAD = ("", "")


def _residency(page: Page, root: Path) -> None:
    from benchmarks.residency import MINUTE_S, residency

    rounds = [residency(root / str(number)) for number in range(page.rounds)]
    page.add(
        f"Clips of {MINUTE_S:.0f} s with the nano models; the first from the start of the "
        "processes on, so with all that is loaded.",
        markdown(
            ("round", "first, s", "second, s", "times faster", "loads at the second", "hits"),
            [
                (
                    str(number + 1),
                    f"{one.first_s:.1f}",
                    f"{one.second_s:.1f}",
                    f"{one.first_s / one.second_s:.2f}",
                    str(one.loads),
                    str(one.hits),
                )
                for number, one in enumerate(rounds)
            ],
        ),
    )


def _overhead(page: Page, root: Path) -> None:
    from benchmarks.residency import MINUTE_S, overhead

    alone, together = overhead(root, page.rounds)
    ratio = statistics.median(together) / statistics.median(alone)
    page.add(
        f"Clips of {MINUTE_S:.0f} s with the nano models, which are loaded in both.",
        markdown(
            ("round", "pipeline alone, s", "service, s"),
            [
                (str(number + 1), f"{one:.2f}", f"{other:.2f}")
                for number, (one, other) in enumerate(zip(alone, together, strict=True))
            ],
        ),
        f"Median of the service over median of the pipeline: {ratio:.3f}.",
    )


def _throughput(page: Page, root: Path) -> None:
    from benchmarks.residency import throughput

    rows = []
    for workers in (1, 2, 4):
        rate, cpu_s = throughput(root, workers, jobs=40, seconds=WAIT_S)
        rows.append((str(workers), f"{rate:.0f}", f"{1000 * cpu_s:.0f}"))
    page.add(
        f"Forty videos of a second, two analyzers that wait {WAIT_S} s each in groups of their "
        "own, and the scenes.",
        markdown(("workers a group", "jobs a minute", "coordinator, ms of CPU a job"), rows),
    )


if __name__ == "__main__":
    main()
