"""What a bench shows on the terminal: one live display, or plain lines if it is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, get_args

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

from kairos_lib import formats
from kairos_lib.bench.plan import Plan, UnusableVideo
from kairos_lib.bench.requirements import Requirement
from kairos_lib.bench.step import Step
from kairos_lib.project import Project
from kairos_lib.runs.status import Progress as NotebookProgress
from kairos_lib.runs.status import Status
from kairos_lib.vlm.forecast import Forecast, Quantisation

PLAIN_LINE_EVERY_S = 10.0


class NotebookElapsedColumn(ProgressColumn):
    """Time since the notebook started; rich's own restarts with each step."""

    def render(self, task: Task) -> Text:
        """As minutes and seconds."""
        seconds = round(time.monotonic() - task.fields["began_s"])
        return Text(f"{seconds // 60}:{seconds % 60:02d}", style="cyan")


class LiveDisplay:
    """A moving line for each running notebook, and a fixed one for each that has ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
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

    def __enter__(self) -> LiveDisplay:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def begin(self, number: int, total: int, label: str) -> LiveRow:
        """A notebook starts."""
        return LiveRow(self, f"{number}/{total}", label)


class LiveRow:
    """A line that moves until its notebook ends."""

    def __init__(self, display: LiveDisplay, place: str, label: str) -> None:
        self._display = display
        self._place = place
        self._label = label
        self._step = ""
        self._began_s = time.monotonic()
        self._task = display.bars.add_task(escape(label), total=None, **self._fields("starting"))

    def update(self, progress: NotebookProgress) -> None:
        """Show progress; the time left is that of the present step."""
        bars = self._display.bars
        if progress.step != self._step:
            self._step = progress.step
            bars.reset(self._task, total=progress.total, **self._fields(progress.step))
        bars.update(self._task, total=progress.total, completed=progress.done)

    def end(self, status: Status) -> None:
        """It ended."""
        self._display.bars.remove_task(self._task)
        line = ending(f"{self._place} {self._label}", status)
        self._display.console.print(line, highlight=False)

    def _fields(self, step: str) -> dict[str, Any]:
        """Contents of the columns; a reset drops all fields that are not given."""
        return {"place": self._place, "step": step, "began_s": self._began_s}


class PlainDisplay:
    """Lines, for a log file or a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def begin(self, number: int, total: int, label: str) -> PlainRow:
        """A notebook starts."""
        return PlainRow(self._console, f"{number}/{total}", label)


class PlainRow:
    """Occasional lines about one notebook."""

    def __init__(self, console: Console, place: str, label: str) -> None:
        self._console = console
        self._place = place
        self._label = label
        self._last_s = 0.0
        self._last_step = ""
        self._print(f"{place} {label} starts")

    def update(self, progress: NotebookProgress) -> None:
        """Print a line at each step, and every ten seconds within one."""
        now_s = time.monotonic()
        if progress.step == self._last_step and now_s - self._last_s < PLAIN_LINE_EVERY_S:
            return
        self._last_step, self._last_s = progress.step, now_s
        self._print(f"{self._place}   {progress.step} {progress.done}/{progress.total}")

    def end(self, status: Status) -> None:
        """It ended."""
        self._print(ending(f"{self._place} {self._label}", status))

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def display(console: Console) -> LiveDisplay | PlainDisplay:
    """The display that suits the output."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


def ending(label: str, status: Status) -> str:
    """One line on how a notebook ended."""
    if status.state == "done":
        text = f"[green]done[/]   {escape(label)} · {status.time_s:.1f} s"
    else:
        text = f"[red]failed[/] {escape(label)} · {status.reason}: {escape(status.message)}"
    if status.vram_kept_mib:
        text += f" · the GPU still holds {formats.memory(status.vram_kept_mib)} more than before"
    return text


def plan_lines(project: Project, planned: Plan) -> list[str]:
    """What a bench would do, two lines per notebook: what and why, then its folder."""
    report = project.relative(project.reports / planned.suite.name / "index.html")
    return step_lines(project, planned.steps, planned.unusable, f"the report: {report}")


def step_lines(
    project: Project, steps: Sequence[Step], unusable: Iterable[UnusableVideo], then: str
) -> list[str]:
    """Two lines per notebook, what and why, then its folder; and what comes in the end."""
    lines = []
    for step in steps:
        state = "[dim]cached[/]" if step.cached else "[bold]run[/]   "
        facts = [step.why]
        if step.key and not step.cached:
            facts.append(f"{step.key} is not set")
        if step.sends and not step.cached:
            facts.append(f"sends to {step.sends}")
        if step.lacking:
            facts.append(f"skips {step.lacking}")
        elif step.missing_weights:
            facts.append(f"weights: {step.missing_weights}")
        elif step.model is not None and step.model.weights.source == "server":
            facts.append("a server has the weights")
        elif not step.cached:
            facts.append("weights are here")
        lines.append(f"{state}  {escape(step.label)}: {escape('; '.join(facts))}")
        lines.append(f"        [dim]{escape(project.relative(step.job.run.folder))}[/]")
    for one in unusable:
        lines.append(f"[red]left out[/]  {escape(one.name)}: {escape(one.why)}")
    cached = sum(step.cached for step in steps)
    lines.append(f"{len(steps) - cached} to run, {cached} cached, then {escape(then)}")
    return lines


def need_lines(needs: list[Requirement]) -> list[str]:
    """What each model needs, and whether it fits."""
    lines = []
    for need in needs:
        name = escape(need.model.name)
        if need.forecast is None:
            lines.append(f"{name}: no forecast: {escape(need.problem)}")
            continue
        found, asked = need.forecast, need.model.batch_size
        cache_mib = found.cache_mib(need.model.dtype, need.model.generation)
        batch = "" if asked == "auto" else f", {formats.memory(asked * cache_mib)} for {asked}"
        sizes = ", ".join(
            f"{formats.memory(found.weights_mib(need.model.dtype, precision))} "
            + ("unquantised" if precision == "none" else precision)
            + (" (this run)" if precision == need.model.quantisation else "")
            for precision in get_args(Quantisation)
        )
        if found.stored_as != "none":
            stored = formats.memory(found.stored_mib)
            sizes = f"{stored} {escape(found.stored_as)}, as the checkpoint has them (this run)"
        prompt = (
            "longest prompt" if need.whole_prompt else "prompt without base processing's findings"
        )
        needed = found.needed_mib(need.model)
        verdict = "[green]fits[/]" if need.fits else "[red]does not fit[/]"
        lines += [
            f"{name}: {found.parameters_millions:,.1f} M parameters; weights {sizes}",
            f"        {found.prompt_tokens:,} tokens a scene ({prompt}), {found.visual_tokens:,} "
            f"of them visual; KV cache {formats.memory(cache_mib)} a scene{batch}",
            *_context_lines(found, need.model.generation.max_new_tokens),
            f"        {verdict}: weights and cache take {formats.memory(needed)} of "
            f"{formats.memory(need.have_mib)} ({escape(need.device)}); computing takes more",
        ]
    return lines


def _context_lines(found: Forecast, caption_tokens: int) -> list[str]:
    """What does not fit into a model's context; empty if everything does."""
    context = found.context_tokens
    if context is None or found.prompt_tokens + caption_tokens <= context:
        return []
    limit = f"the {context:,} tokens of its context"
    if found.question_tokens + caption_tokens > context:
        return [
            f"        [red]no caption[/]: pictures and question ({found.question_tokens:,} tokens) "
            f"and a caption of up to {caption_tokens:,} do not fit into {limit}: ask for fewer or "
            "smaller frames"
        ]
    over = found.prompt_tokens + caption_tokens - context
    return [
        f"        cut short: findings of a scene can be {over:,} tokens more than fit into "
        f"{limit}, with a caption of up to {caption_tokens:,}; the rest is used"
    ]
