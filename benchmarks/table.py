"""Writes what was measured as Markdown, with all that a reader needs to judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness import BUSY_CORES, LEAST_ROUNDS, Comparison, Result, Trial, wall_time_s
from kairos_lib.measure.provenance import gpus, machine, versions

NOT_MEASURED = "not measured"


@dataclass
class Page:
    """One results file."""

    title: str
    command: str
    """What made it, without paths of the machine."""
    rounds: int
    paragraphs: list[str] = field(default_factory=list)

    def add(self, *paragraphs: str) -> None:
        """Go on with paragraphs, headings or tables."""
        self.paragraphs += paragraphs

    def text(self) -> str:
        """The whole file."""
        head = [
            f"# {self.title}",
            f"Made by `{self.command}` on {datetime.now(UTC):%Y-%m-%d} (UTC).",
        ]
        if self.rounds < LEAST_ROUNDS:
            head.append(
                f"**A trial: {self.rounds} rounds, and {LEAST_ROUNDS} are the least that count.**"
            )
        return "\n\n".join([*head, *self.paragraphs, "## Machine", machine_table()]) + "\n"

    def write(self, folder: Path, name: str) -> Path:
        """Write it as `<name>.md`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.md"
        path.write_text(self.text(), encoding="utf-8")
        return path


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_rows() -> list[tuple[str, str]]:
    """Processor, memory, system, GPU and the versions that times depend on."""
    facts = machine()
    return [
        ("processor", f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads"),
        ("computing", f"{facts['compute_threads']} threads, {facts['wait_policy']} waiting"),
        ("memory", f"{facts['ram_mib'] / 1024:.1f} GiB"),
        ("system", str(facts["system"])),
        ("GPU", ", ".join(str(gpu["name"]) for gpu in gpus()) or "no GPU"),
        *versions().items(),
    ]


def machine_table() -> str:
    """The machine as the results files have it."""
    return markdown(["", ""], machine_rows())


def times_table(
    comparison: Comparison[Result],
    against: str,
    measure: Callable[[Trial[Result]], float] = wall_time_s,
    unit: str = "s",
) -> str:
    """One row for each contender, with its ratio to the one that all are held against."""
    header = [
        "", f"median [range], {unit}", "ratio of medians", "ratio by round, median [range]", "n",
        "rounds disturbed",
    ]  # fmt: skip
    rows = [
        [
            name,
            comparison.spread(name, measure).told(),
            f"{comparison.ratio(name, against, measure):.2f}",
            comparison.round_ratios(name, against, measure).told(),
            str(comparison.rounds),
            str(comparison.disturbed(name)),
        ]
        for name in comparison.trials
    ]
    return markdown(header, rows)


def rounds_table(
    comparison: Comparison[Result],
    measure: Callable[[Trial[Result]], float] = wall_time_s,
    unit: str = "s",
) -> str:
    """Every value, and how many cores others kept busy meanwhile."""
    header = ["", *(f"round {n}" for n in range(1, comparison.rounds + 1))]
    rows = [
        [
            name,
            *(f"{measure(t):.2f} {unit} ({_marked(t.foreign_cores)})" for t in trials),
        ]
        for name, trials in comparison.trials.items()
    ]
    note = (
        "In brackets: cores that other processes kept busy meanwhile; bold where more than "
        f"{BUSY_CORES}, which counts as disturbed."
    )
    return f"{markdown(header, rows)}\n\n{note}"


def _marked(cores: float) -> str:
    return f"**{cores:.2f}**" if cores > BUSY_CORES else f"{cores:.2f}"
