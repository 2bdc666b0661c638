"""The benchmarks of base processing: `make perf-base`, or `python -m benchmarks.base --help`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmarks.table import Page
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.options import switched
from kairos_lib.project import Project, slug

NAMES = ("visual", "stage", "batches", "memory")
RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--name", envvar="KAIROS_NAME", default="", help=f"One of {', '.join(NAMES)}.")
@click.option("--video", envvar="KAIROS_VIDEO", default="", help="For `visual`: any file.")
@click.option("--rounds", envvar="KAIROS_ROUNDS", default=5, show_default=True, type=int)
@click.option(
    "--scale", envvar="KAIROS_SCALE", default="1/60", show_default=True,
    help="For `stage`: what the speech server's times are multiplied by.",
)  # fmt: skip
@click.option(
    "--limited", envvar="KAIROS_LIMITED", is_flag=False, flag_value="1", default="",
    help="For `stage`: 1 leaves out the server without a limit on requests.",
)  # fmt: skip
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where the tables are written.",
)  # fmt: skip
def main(name: str, video: str, rounds: int, scale: str, limited: str, out: Path) -> None:
    """Measure base processing and write the tables; all benchmarks unless one is named."""
    threads.settle()
    try:
        chosen = _chosen(name, video, rounds, scale)
        for each in chosen:
            page, file = _run(each, video, rounds, scale, switched("LIMITED", limited))
            path = page.write(out, file)
            click.echo(page.text())
            click.echo(f"written to {path}")
    except KairosError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(1)


def _chosen(name: str, video: str, rounds: int, scale: str) -> tuple[str, ...]:
    """The benchmarks to run; what is wrong is said before the first of them takes its time."""
    from benchmarks.stage import parse_scale

    parse_scale(scale)
    check(name, NAMES, rounds)
    if video and name not in ("", "visual"):
        raise KairosError(f"VIDEO is for the benchmark 'visual', not for '{name}'")
    if video:
        return ("visual",)
    return (name,) if name else NAMES


def check(name: str, names: tuple[str, ...], rounds: int) -> None:
    """See that what is asked for can be measured.

    Raises:
        KairosError: There is no such benchmark, or no round.
    """
    if rounds < 1:
        raise KairosError(f"ROUNDS={rounds}: at least one round is needed")
    if name and name not in names:
        raise KairosError(f"unknown benchmark '{name}': there are {', '.join(names)}")


def _run(name: str, video: str, rounds: int, scale: str, limited: bool) -> tuple[Page, str]:
    """Measure one benchmark; the page, and the name of its file."""
    from benchmarks.clips import cache

    folder = cache(Project.find())
    command = f"make perf-base NAME={name} ROUNDS={rounds}"
    if name == "visual":
        from benchmarks import visual

        if not video:
            return visual.run(folder, None, rounds, command, say), name
        path = Path(video).expanduser()
        # The file's name and no more of its path, which would be of this machine.
        command += f" VIDEO={path.name}"
        return visual.run(folder, path, rounds, command, say), f"visual-{slug(path.stem)}"
    if name == "stage":
        from benchmarks import stage

        server_scale = stage.parse_scale(scale)
        command += f" SCALE={scale}" + (" LIMITED=1" if limited else "")
        limits = (stage.PER_MINUTE,) if limited else (stage.PER_MINUTE, None)
        page = stage.run(folder, rounds, server_scale, command, say, limits)
        return page, f"stage-scale-{slug(scale)}"
    if name == "batches":
        from benchmarks import batches

        return batches.run(folder, rounds, command, say), name
    from benchmarks import memory

    return memory.run(folder, rounds, command, say), name


def say(line: str) -> None:
    """How far it is, kept apart from the tables."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
