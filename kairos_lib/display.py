"""What a bench shows on the terminal: one live display, or plain lines where there is none."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from kairos_lib import records
from kairos_lib.plan import Plan
from kairos_lib.project import Project

PLAIN_LINE_EVERY_S = 10.0


class NotebookElapsedColumn(ProgressColumn):
    """Time since the notebook started; rich's own starts anew with each step."""

    def render(self, task: Task) -> Text:
        """As minutes and seconds."""
        seconds = round(time.monotonic() - task.fields["began_s"])
        return Text(f"{seconds // 60}:{seconds % 60:02d}", style="cyan")


class LiveDisplay:
    """A line that moves for the notebook that runs, a line that stays for each that has ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("[bold]{task.fields[place]}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("[cyan]{task.fields[step]}"),
            NotebookElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._place = self._step = ""
        self._began_s = time.monotonic()
        self._task = self._bars.add_task("", total=None, visible=False, **self._fields("starting"))

    def __enter__(self) -> LiveDisplay:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begin(self, number: int, total: int, label: str) -> None:
        """A notebook starts."""
        self._place, self._step, self._began_s = f"{number}/{total}", "", time.monotonic()
        self._bars.reset(
            self._task,
            description=escape(label),
            total=None,
            visible=True,
            **self._fields("starting"),
        )

    def update(self, progress: records.Progress) -> None:
        """It got further; the time left is that of the step it is in."""
        if progress.step != self._step:
            self._step = progress.step
            self._bars.reset(self._task, total=progress.total, **self._fields(progress.step))
        self._bars.update(self._task, total=progress.total, completed=progress.done)

    def _fields(self, step: str) -> dict[str, Any]:
        """What the columns show; a reset forgets all fields but those it is given."""
        return {"place": self._place, "step": step, "began_s": self._began_s}

    def end(self, label: str, status: records.Status) -> None:
        """It ended."""
        self._bars.update(self._task, visible=False)
        self._console.print(ending(f"{self._place} {label}", status), highlight=False)


class PlainDisplay:
    """Lines, for a log file or a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_s = 0.0
        self._last_step = ""

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def begin(self, number: int, total: int, label: str) -> None:
        """A notebook starts."""
        self._place = f"{number}/{total}"
        self._last_step = ""
        self._print(f"{self._place} {label} starts")

    def update(self, progress: records.Progress) -> None:
        """It got further: a line at each step, and every ten seconds within one."""
        now_s = time.monotonic()
        if progress.step == self._last_step and now_s - self._last_s < PLAIN_LINE_EVERY_S:
            return
        self._last_step, self._last_s = progress.step, now_s
        self._print(f"{self._place}   {progress.step} {progress.done}/{progress.total}")

    def end(self, label: str, status: records.Status) -> None:
        """It ended."""
        self._print(ending(f"{self._place} {label}", status))

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def display(console: Console) -> LiveDisplay | PlainDisplay:
    """The one that suits where the output goes."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


def ending(label: str, status: records.Status) -> str:
    """One line on how a notebook ended."""
    if status.state == "done":
        return f"[green]done[/]   {escape(label)} · {status.time_s:.1f} s"
    return f"[red]failed[/] {escape(label)} · {status.reason}: {escape(status.message)}"


def plan_lines(project: Project, planned: Plan) -> list[str]:
    """What a bench would do, two lines a notebook: what and why, then where it goes."""
    steps = [*planned.bases, *planned.vlms]
    lines = []
    for step in steps:
        state = "[dim]cached[/]" if step.cached else "[bold]run[/]   "
        facts = [step.why]
        if step.weights != "there":
            facts.append(f"weights: {step.weights}")
        elif not step.cached:
            facts.append("weights are there")
        lines.append(f"{state}  {escape(step.label)}: {escape('; '.join(facts))}")
        lines.append(f"        [dim]{escape(project.relative(step.job.run.folder))}[/]")
    cached = sum(step.cached for step in steps)
    lines.append(
        f"{len(steps) - cached} to run, {cached} cached, then the report: "
        + escape(project.relative(project.reports / planned.suite.name / "index.html"))
    )
    return lines
