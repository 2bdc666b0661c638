"""The benchmarks of the service: `make perf-serve` and `make chaos-serve`."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.base import RESULTS, check
from benchmarks.harness import LEAST_ROUNDS, Spread
from benchmarks.table import Page, markdown
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.options import parts

if TYPE_CHECKING:
    from benchmarks.soak import Soaked

NAMES = ("chaos", "chaos-nano", "residency", "overhead", "throughput", "parents", "soak")
CHAOS_JOBS = 200
NANO_JOBS = 20
WAIT_S = 0.2
JOBS_A_ROUND = 40


@click.command()
@click.option("--name", envvar="KAIROS_NAME", default="", help=f"Of {', '.join(NAMES)}.")
@click.option("--rounds", envvar="KAIROS_ROUNDS", default=5, show_default=True, type=int)
@click.option("--jobs", default=CHAOS_JOBS, show_default=True, help="For `chaos`.")
@click.option("--minutes", default=30.0, show_default=True, help="For `soak`.")
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where the tables are written.",
)  # fmt: skip
def main(name: str, rounds: int, jobs: int, minutes: float, out: Path) -> None:
    """Measure the service and write the tables; all benchmarks unless one is named."""
    threads.settle()
    try:
        chosen = parts(name) or NAMES
        for each in chosen:
            check(each, NAMES, rounds)
        for each in chosen:
            with tempfile.TemporaryDirectory(prefix="kairos-") as folder:
                if each == "soak":
                    page = _soak(Path(folder), minutes, out)
                else:
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
    measures = {
        "residency": _residency,
        "overhead": _overhead,
        "throughput": _throughput,
        "parents": _parents,
    }
    measures[name](page, root)
    return page


_TITLES = {
    "residency": "The first video of a service, and the second",
    "overhead": "What the service costs beside the pipeline",
    "throughput": "Jobs a minute",
    "parents": "What the queue costs",
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
    """All numbers of workers in each round, so that a drift of the machine falls on all."""
    from benchmarks.residency import throughput

    counts = (1, 2, 4)
    found: dict[int, list[tuple[float, float]]] = {workers: [] for workers in counts}
    for number in range(page.rounds):
        for workers in counts:
            place = root / f"{number}-{workers}"
            found[workers].append(throughput(place, workers, jobs=JOBS_A_ROUND, seconds=WAIT_S))
    page.add(
        f"{JOBS_A_ROUND} videos of a second, two analyzers that wait {WAIT_S} s each in groups of "
        "their own, and the scenes.",
        markdown(
            ("workers a group", "jobs a minute, median [range]", "coordinator, ms of CPU a job"),
            [
                (
                    str(workers),
                    Spread(tuple(rate for rate, _ in measured)).told(),
                    Spread(tuple(1000 * cpu_s for _, cpu_s in measured)).told(),
                )
                for workers, measured in found.items()
            ],
        ),
    )


def _parents(page: Page, root: Path) -> None:
    from benchmarks.parents import CHILDREN, PARENTS, parent_cpu_s

    used = [1000 * parent_cpu_s(root / str(number)) for number in range(page.rounds)]
    page.add(
        f"A parent with {CHILDREN} children that do nothing, {PARENTS} times a round, as the "
        "coordinator and the workers use the queue: their calls and settings, in one process. "
        "Redis itself is not counted.",
        markdown(
            ("", "ms of CPU a parent"),
            [
                *((f"round {number}", f"{one:.1f}") for number, one in enumerate(used, start=1)),
                ("median [range]", Spread(tuple(used)).told()),
            ],
        ),
    )


def _soak(root: Path, minutes: float, out: Path) -> Page:
    from benchmarks import soak

    found = soak.soak(root, minutes, click.echo)
    found.write(out / "serve-soak.csv")
    page = soak_page(found)
    click.echo(page.text())
    found.check()
    return page


def soak_page(found: Soaked) -> Page:
    """What became of memory."""
    from benchmarks import soak

    page = Page("Memory of the service's processes", "make perf-serve NAME=soak", LEAST_ROUNDS)
    page.add(
        f"`make serve SERVICE=nano` for {found.minutes:g} minutes, with jobs waiting all the time, "
        f"each a clip of {soak.CLIP_S:.0f} s of another content. Resident memory of every process "
        f"each {soak.EVERY_S:.0f} s is in `serve-soak.csv`; below, medians of a minute.",
        markdown(
            ("process", "after ten minutes, MiB", "at the end, MiB", "difference"),
            soak.table(found.rows()),
        ),
        "Jobs: " + ", ".join(f"{count} {state}" for state, count in found.jobs.items()) + ".",
        f"The target, {soak.ALLOWED:.0%}, is for every process but Redis, which remembers jobs: "
        f"{found.redis_kib_a_job():.0f} KiB a job here.",
    )
    return page


if __name__ == "__main__":
    main()
