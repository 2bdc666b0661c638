"""The `kairos` command: chooses parameters and runs notebooks. Every make target calls it.

Options are read from the environment as well (`KAIROS_MODEL`, ...): that is how make hands them
over, so that no shell ever reads a file's name.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

import click

from kairos_lib import __version__
from kairos_lib.compare.command import compare
from kairos_lib.errors import KairosError, closest, no_room
from kairos_lib.make_variables import check as check_given
from kairos_lib.names import showable
from kairos_lib.options import Switch, Words, flag, whole
from kairos_lib.parameters.suite import REPEATS_AT_MOST
from kairos_lib.project import Project
from kairos_lib.reproduce.command import reproduce

SLOTS_AT_MOST = 64


def _debug(context: click.Context, option: click.Parameter, given: bool) -> None:
    if given:
        context.find_root().params["debug"] = True


class Group(click.Group):
    """Commands whose errors are one line."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; `--debug` may stand behind it as well as before it."""
        handed_on = "ignore_unknown_options" in cmd.context_settings
        if not handed_on and all(option.name != "debug" for option in cmd.params):
            told = "Show tracebacks, those of kernels too."
            cmd.params.append(
                click.Option(
                    ["--debug"], is_flag=True, expose_value=False, callback=_debug, help=told
                )
            )
        super().add_command(cmd, name)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the options of all commands."""
        try:
            return super().parse_args(context, args)
        except KairosError as error:
            _stop(str(error), 2)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; an error that a user can put right needs no traceback."""
        try:
            return super().invoke(context)
        except KairosError as error:
            if context.params.get("debug"):
                raise
            _stop(str(error), 2)
        except OSError as error:
            if context.params.get("debug"):
                raise
            plain = f"{error.strerror or error}: {error.filename or 'see --debug'}"
            _stop(no_room(error) or plain, 2)
        except KeyboardInterrupt:
            _stop("stopped: run the same command to go on where it stopped", 130)


def _stop(message: str, code: int) -> NoReturn:
    line = "".join(c if showable(c) else "\ufffd" for c in " ".join(message.split()))
    click.echo(f"kairos: {line}", err=True)
    sys.exit(code)


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
    # A scheduler's and a closed terminal's way to stop a bench ends it as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # As under nohup: then it goes on.
            signal.signal(number, _interrupt)


fresh_option = click.option(
    "--fresh",
    envvar="KAIROS_FRESH",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="Run again what is done already; the old results are set aside.",
)
model_id_option = click.option(
    "--model-id", envvar="KAIROS_MODEL_ID", help="For MODEL=auto: a hub's id, or a path."
)
suite_option = click.option("--suite", envvar="KAIROS_SUITE", help="Name of a suite.")


@main.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name; several with commas.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Video name or path; several with commas.")
@suite_option
@click.option("--base", envvar="KAIROS_BASE", help="Base profile.")
@click.option("--repeats", envvar="KAIROS_REPEATS", type=str, help="Rounds, each in fresh kernels.")
@click.option("--weights", envvar="KAIROS_WEIGHTS", help="dummy: full size, random, no download.")
@model_id_option
@click.option("--slots", envvar="KAIROS_SLOTS", type=str, help="Notebooks at once; 1 by default.")
@fresh_option
@click.option(
    "--dry-run",
    envvar="KAIROS_DRY_RUN",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="Print the plan and start nothing.",
)
def bench(
    model: str | None,
    video: str | None,
    suite: str | None,
    base: str | None,
    repeats: str | None,
    weights: str | None,
    model_id: str | None,
    slots: str | None,
    fresh: bool,
    dry_run: bool,
) -> None:
    """Run a suite, or MODEL on VIDEO, and write the report."""
    from rich.console import Console

    from kairos_lib.bench import execution as benches
    from kairos_lib.bench.display import display, need_lines, plan_lines
    from kairos_lib.bench.plan import make_plan
    from kairos_lib.bench.request import BenchRequest, suite_of
    from kairos_lib.bench.requirements import requirements_of
    from kairos_lib.launch.launcher import cause_of

    project = Project.find()
    console = Console()
    at_once = whole("SLOTS", slots, SLOTS_AT_MOST) or 1
    asked = BenchRequest(
        suite=suite or "",
        model=model or "",
        video=video or "",
        base=base or "",
        repeats=whole("REPEATS", repeats, REPEATS_AT_MOST),
        weights=weights or "",
        model_id=model_id or "",
    )
    chosen = suite_of(project, asked)
    planned = make_plan(project, chosen, fresh)
    debug = bool(click.get_current_context().find_root().params.get("debug"))
    for one in planned.unusable:
        if debug:
            click.echo("".join(traceback.format_exception(one.error)), err=True)
        click.echo(f"left out: {one.name}: {one.why}", err=True)
    if dry_run:
        with console.status("asking what the models need"):
            needs = requirements_of(project, planned)
        lines = [*plan_lines(project, planned), *need_lines(needs)]
        console.print("\n".join(lines), soft_wrap=True, highlight=False)
        sys.exit(1 if planned.unusable else 0)
    with display(console) as shown:
        failed = benches.carry_out(project, planned, shown, at_once)
        if debug:
            for step in planned.steps:
                if not step.job.run.done and (cause := cause_of(step.job.run)):
                    click.echo(f"{step.label}:\n{cause}", err=True)
        index = benches.analyse(project, chosen.name, shown)
    without = f" (without {planned.lacking})" if planned.lacking else ""
    if not failed and not planned.unusable:
        click.echo(f"report: {index}{without}")
        return
    wrong = []
    if planned.unusable:
        videos = len(planned.unusable) + len(planned.bases)
        wrong.append(f"{len(planned.unusable)} of {videos} videos could not be used")
    if failed:
        wrong.append(f"{failed} of {len(planned.steps)} notebooks failed")
    click.echo(f"{' and '.join(wrong)}; the report shows them: {index}{without}")
    sys.exit(1)


main.add_command(
    click.Command(
        "plan",
        params=[option for option in bench.params if option.name != "dry_run"],
        callback=partial(cast("Callable[..., None]", bench.callback), dry_run=True),
        help="Say what a bench would do and what its models need, and start nothing.",
    )
)
main.add_command(compare)
main.add_command(reproduce)


@main.command()
@suite_option
@fresh_option
def report(suite: str | None, fresh: bool) -> None:
    """Write a suite's report again from the runs there are."""
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


@main.command()
@suite_option
@click.option(
    "--format", "formats", envvar="KAIROS_FORMAT", help="srt, vtt, coco, json; or several."
)
@click.option("--model", envvar="KAIROS_MODEL", help="Of the suite's; all by default.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Of the suite's; all by default.")
@click.option("--out", envvar="KAIROS_OUT", help="Folder to write to.")
@click.option(
    "--transcript",
    envvar="KAIROS_TRANSCRIPT",
    is_flag=False,
    flag_value="1",
    callback=flag,
    help="With srt and vtt: speech as subtitles of its own as well.",
)
def export(
    suite: str | None,
    formats: str | None,
    model: str | None,
    video: str | None,
    out: str | None,
    transcript: bool,
) -> None:
    """Write captions and findings of a suite's runs for other programs."""
    from kairos_lib.publish import export as exports
    from kairos_lib.results.suite import read

    if not out:
        raise KairosError("OUT is not given: name a folder to write to")
    data = read(Project.find(), suite or "demo")
    wanted = exports.Wanted(_names(formats), _names(model), _names(video), transcript)
    count = 0
    for one in exports.export(data, wanted, Path(out).expanduser()):
        if isinstance(one, exports.Written):
            count += 1
            click.echo(f"{one.path}: {one.holds}")
        else:
            click.echo(f"left out: {one.what}: {' '.join(one.why.split())}", err=True)
    if not count:
        _stop(f"nothing was written to {out}: see above for what there is nothing of", 1)


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(part for name in (given or "").split(",") if (part := name.strip()))


@main.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name.")
@model_id_option
@click.option("--base", envvar="KAIROS_BASE", help="Base profile; the model's own by default.")
def fetch(model: str | None, model_id: str | None, base: str | None) -> None:
    """Download the weights of a model and of its base processing."""
    from kairos_lib.analyzers.analyzer import order
    from kairos_lib.analyzers.profile import Base
    from kairos_lib.bench.request import AUTO, by_id
    from kairos_lib.parameters import loading
    from kairos_lib.parameters.model import Model
    from kairos_lib.parameters.weights import Weights
    from kairos_lib.weights import location

    project = Project.find()
    if model_id and model not in (None, AUTO):
        raise KairosError(f"MODEL_ID goes with MODEL={AUTO}, not with MODEL={model}")
    if not model and not model_id and not base:
        known = loading.names(project, Model)
        raise KairosError(f"MODEL is not given: name one of {', '.join(known)}")
    wanted: list[Weights | None] = []
    if model or model_id:
        changes = by_id(model_id) if model_id else None
        chosen = loading.load(project, Model, model or AUTO, changes)
        wanted.append(chosen.weights)
        base = base or chosen.base
    profile = loading.load(project, Base, str(base))
    wanted += [s.weights(profile) for s in order(profile.stages) if s.uses_weights(profile)]
    for one in wanted:
        if one is None or one.source in ("nano", "path", "dummy", "server"):
            continue
        found = location.find(project, one)
        if found.path is not None:
            click.echo(f"here already: {one.id}")
            continue
        click.echo(f"fetching {one.id}")
        click.echo(f"fetched: {location.fetch(one)}")
    click.echo("all weights that a hub has are on this machine")


@main.command(hidden=True)
def given() -> None:
    """See that what make was given means something, for targets that run no other command."""


@main.command(name="list")
def list_() -> None:
    """List the models, videos, base profiles and suites that exist."""
    from kairos_lib.analyzers.profile import Base
    from kairos_lib.parameters import loading
    from kairos_lib.parameters.model import Model
    from kairos_lib.parameters.suite import Suite
    from kairos_lib.parameters.video import Video

    project = Project.find()
    for kind in (Model, Video, Base, Suite):
        known = loading.names(project, kind)
        click.echo(f"{kind.folder + ':':9}{', '.join(known)}")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=Words(), envvar="KAIROS_ARGS")
def lab(arguments: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab; ARGUMENTS are handed on to it."""
    from kairos_lib.launch.kernels import OWN_PYTHON
    from kairos_lib.measure import threads

    project = Project.find()
    # Replaces this process, so that Ctrl-C and the terminal are JupyterLab's own.
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={project.root}"]
    os.environ[OWN_PYTHON] = sys.executable
    threads.settle()  # For notebooks that load torch in a cell of their own.
    os.chdir(project.root)
    os.execv(sys.executable, [*command, "--LabApp.default_url=/lab/tree/notebooks", *arguments])


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also the runs: all that was computed.")
def clean(everything: bool) -> None:
    """Remove reports and what was set aside; with --all the runs as well.

    Transcripts that were paid for stay: remove runs/transcripts by hand to pay again.
    """
    from kairos_lib.pipeline.base_session import TRANSCRIPTS

    project = Project.find()
    doomed: list[Path] = [path for path in project.reports.glob("*") if path.name != "README.md"]
    if everything:
        kept = {"README.md", TRANSCRIPTS}
        doomed += [path for path in project.runs.glob("*") if path.name not in kept]
    else:
        doomed += list(project.runs.glob("**/*.superseded-*"))
        doomed += list(project.runs.glob("analysis"))
    for path in doomed:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    click.echo(f"removed {len(doomed)} files and folders")


if __name__ == "__main__":
    main()
