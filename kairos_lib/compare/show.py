"""A comparison for the terminal, and as JSON."""

from __future__ import annotations

import json
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kairos_lib.compare.comparison import Comparison, Row
from kairos_lib.formats import MISSING
from kairos_lib.statistics.bootstrap import Interval
from kairos_lib.statistics.decision import LEVEL, Ratio

LEAST_WIDTH = 120
"""Width for outputs other than a terminal, so that a log does not wrap tables."""
COLOURS = {"slower": "red", "more": "red", "faster": "green", "less": "green"}


def show(found: Comparison, console: Console) -> None:
    """Print a comparison: the table, what decides, and caveats."""
    for letter, given in (("A", found.a), ("B", found.b)):
        console.print(f"{letter}: {escape(given)}", highlight=False, soft_wrap=True)
    console.print(_table(found))
    for title, lines in (
        ("mind", found.marks),
        ("not the same", found.differences),
        ("left out", found.left_out),
    ):
        if lines:
            console.print(f"[bold]{title}[/]")
        for line in lines:
            console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
    for line in verdict(found):
        console.print(escape(line), highlight=False, soft_wrap=True)


def verdict(found: Comparison) -> list[str]:
    """The outcome, one line for each regression."""
    lines = [
        f"regression: {row.model}, {row.quantity.title}: B takes {_with_interval(row.ratio)} × A"
        for row in found.regressions
        if row.ratio
    ]
    return lines or [
        f"no regression of {found.threshold:.0%} or more is shown" if found.deciding else "",
    ]


def _table(found: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model")
    table.add_column("video")
    table.add_column("measure", no_wrap=True)
    for title in ("A", "B", "B / A", f"{LEVEL:.0%} interval", "rounds"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("B is", no_wrap=True)
    last = ("", "")
    for row in found.rows:
        here = (row.model, row.video)
        colour = COLOURS.get(row.verdict, "default")
        ends = _interval(row)
        table.add_row(
            *(escape(text) if here != last else "" for text in here),
            row.quantity.title,
            row.quantity.written(row.a) if row.a is not None else "",
            row.quantity.written(row.b) if row.b is not None else "",
            f"{row.ratio.value:.3f}" if row.ratio else MISSING,
            f"{ends.low:.3f} – {ends.high:.3f}" if ends else MISSING,
            str(row.ratio.rounds) if row.ratio else "0",
            f"[{colour}]{row.verdict}[/]",
        )
        last = here
    return table


def _interval(row: Row) -> Interval | None:
    return row.ratio.interval if row.ratio and row.ratio.interval.known else None


def _with_interval(ratio: Ratio) -> str:
    """`1.10 (1.05 – 1.15)`."""
    return f"{ratio.value:.2f} ({ratio.interval.low:.2f} – {ratio.interval.high:.2f})"


def as_json(found: Comparison) -> str:
    """The same for programs; unknown values are null."""
    return json.dumps(
        {
            "a": found.a,
            "b": found.b,
            "threshold": found.threshold,
            "level": LEVEL,
            "regression": bool(found.regressions),
            "decided": bool(found.deciding),
            "rows": [_row(found, row) for row in found.rows],
            "marks": found.marks,
            "differences": found.differences,
            "left_out": found.left_out,
        },
        indent=2,
        ensure_ascii=False,
    )


def _row(found: Comparison, row: Row) -> dict[str, Any]:
    ratio = row.ratio
    ends = _interval(row)
    return {
        "model": row.model,
        "video": row.video,
        "measure": row.quantity.name,
        "a": row.a,
        "b": row.b,
        "ratio": ratio.value if ratio else None,
        "low": ends.low if ends else None,
        "high": ends.high if ends else None,
        "rounds": ratio.rounds if ratio else 0,
        "verdict": row.verdict,
        "decides": row in found.deciding,
        "regression": row in found.regressions,
    }
