"""The `kairos` command: chooses parameters and runs notebooks. Every make target calls it.

Options are also read from the environment (`KAIROS_MODEL`, ...): that is how make passes them, so
that no shell ever reads a file's name.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from kairos_lib import __version__
from kairos_lib.commands.api import api
from kairos_lib.commands.base import base
from kairos_lib.commands.bench import bench, plan
from kairos_lib.commands.compare import compare
from kairos_lib.commands.ending import stop
from kairos_lib.commands.events import events
from kairos_lib.commands.export import export
from kairos_lib.commands.fetch import fetch
from kairos_lib.commands.publish import publish
from kairos_lib.commands.reproduce import reproduce
from kairos_lib.commands.serve import coordinator, serve, worker
from kairos_lib.commands.status import status
from kairos_lib.commands.task import task
from kairos_lib.errors import KairosError, closest, no_room
from kairos_lib.make_variables import check as check_given
from kairos_lib.options import Switch, Words, fresh_option, suite_option
from kairos_lib.project import Project


def _debug(context: click.Context, option: click.Parameter, given: bool) -> None:
    if given:
        context.find_root().params["debug"] = True


class Group(click.Group):
    """Commands whose errors are one line."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; `--debug` may come after it as well as before it."""
        handed_on = "ignore_unknown_options" in cmd.context_settings
        if not handed_on and all(option.name != "debug" for option in cmd.params):
            text = "Show tracebacks, those of kernels too."
            cmd.params.append(
                click.Option(
                    ["--debug"], is_flag=True, expose_value=False, callback=_debug, help=text
                )
            )
        super().add_command(cmd, name)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read options that all commands share."""
        try:
            return super().parse_args(context, args)
        except KairosError as error:
            stop(str(error), 2)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; an error that a user can fix needs no traceback."""
        try:
            return super().invoke(context)
        except KairosError as error:
            if context.params.get("debug"):
                raise
            stop(str(error), 2)
        except OSError as error:
            if context.params.get("debug"):
                raise
            plain = f"{error.strerror or error}: {error.filename or 'see --debug'}"
            stop(no_room(error) or plain, 2)
        except KeyboardInterrupt:
            stop("stopped: run the same command to go on where it stopped", 130)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kairos")
@click.option(
    "--debug",
    is_flag=True,
    type=Switch(),
    envvar="KAIROS_DEBUG",
    help="Show tracebacks, those of kernels too.",
)
def main(debug: bool) -> None:
    """Benchmark vision-language models over your own videos."""
    check_given(main)
    # A scheduler's or a closed terminal's signal ends a bench as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # Under nohup it goes on.
            signal.signal(number, _interrupt)


for command in (
    bench,
    base,
    plan,
    events,
    status,
    task,
    compare,
    reproduce,
    export,
    publish,
    fetch,
):
    main.add_command(command)
for command in (serve, worker, coordinator, api):
    main.add_command(command)


@main.command()
@suite_option
@fresh_option
def report(suite: str | None, fresh: bool) -> None:
    """Write a suite's report again from its existing runs."""
    from rich.console import Console

    from kairos_lib.bench import execution as benches
    from kairos_lib.bench.display import display

    project = Project.find()
    name = suite or "demo"
    if not (project.runs / "suites" / f"{name}.json").is_file():
        known = sorted(path.stem for path in (project.runs / "suites").glob("*.json"))
        raise KairosError(
            f"there are no runs of a suite '{name}': {closest(name, known, list_known=True)}; "
            "make bench runs one"
        )
    with display(Console()) as shown:
        index = benches.analyse(project, name, shown, fresh)
    click.echo(f"report: {index}")


@main.command(hidden=True)
def given() -> None:
    """Check make's variables, for targets that run no other command."""


@main.command(name="list")
def list_() -> None:
    """List the models, videos, base profiles, suites, clusters and services that exist."""
    from kairos_lib.analyzers.profile import Base
    from kairos_lib.parameters import loading
    from kairos_lib.parameters.cluster import Cluster
    from kairos_lib.parameters.model import Model
    from kairos_lib.parameters.service import Service
    from kairos_lib.parameters.spotting import Spotting
    from kairos_lib.parameters.suite import Suite
    from kairos_lib.parameters.video import Video

    project = Project.find()
    for kind in (Model, Video, Base, Suite, Spotting, Cluster, Service):
        known = loading.names(project, kind)
        click.echo(f"{kind.folder + ':':9}{', '.join(known)}")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=Words(), envvar="KAIROS_ARGS")
def lab(arguments: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab; ARGUMENTS are passed on to it."""
    from kairos_lib.launch.kernels import OWN_PYTHON
    from kairos_lib.measure import threads

    project = Project.find()
    # Replaces this process, so that JupyterLab receives Ctrl-C and the terminal directly.
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={project.root}"]
    os.environ[OWN_PYTHON] = sys.executable
    threads.settle()  # For notebooks that load torch in a cell of their own.
    os.chdir(project.root)
    os.execv(sys.executable, [*command, "--LabApp.default_url=/lab/tree/notebooks", *arguments])


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also the runs: all computed results.")
def clean(everything: bool) -> None:
    """Remove reports and what was set aside; with --all the runs as well.

    Transcripts that were paid for stay: remove runs/transcripts by hand to pay again.
    """
    from kairos_lib.pipeline.base_session import TRANSCRIPTS

    project = Project.find()
    unwanted: list[Path] = [path for path in project.reports.glob("*") if path.name != "README.md"]
    if everything:
        kept = {"README.md", TRANSCRIPTS}
        unwanted += [path for path in project.runs.glob("*") if path.name not in kept]
    else:
        unwanted += list(project.runs.glob("**/*.superseded-*"))
        unwanted += list(project.runs.glob("analysis"))
    for path in unwanted:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    click.echo(f"removed {len(unwanted)} files and folders")


if __name__ == "__main__":
    main()
