"""Charts of event spotting: when what was found, and how precision falls as more is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kairos_lib import formats
from kairos_lib.report.page import svg
from kairos_lib.report.page.html import Html, joined
from kairos_lib.report.sections.charts import FRAME_IN, WIDTH_IN
from kairos_lib.results.spotted import Spotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.34
HAPPENED = "What happened"
CURVE_IN = 3.2
LABELS_AT_MOST = len(svg.SERIES)
"""With a colour of their own; further ones share the last."""


def timelines(spotted: list[Spotted]) -> Html | None:
    """For each video what happened and what each model found, on one axis of time."""
    by_video: dict[str, list[Spotted]] = {}
    for one in spotted:
        if one.result is not None:
            by_video.setdefault(one.planned.video, []).append(one)
    drawn = [_timeline(number, runs) for number, runs in enumerate(by_video.values())]
    return joined(*drawn) if drawn else None


def _timeline(number: int, runs: list[Spotted]) -> Html:
    first = runs[0]
    assert first.result is not None
    colours = _colours(runs)
    rows = [(one.planned.model_title, list(one.events)) for one in runs]
    if first.truth is not None:
        rows.insert(0, (HAPPENED, [*first.truth]))  # type: ignore[list-item]
    with svg.canvas(WIDTH_IN, ROW_IN * len(rows) + FRAME_IN + 0.3) as (figure, axes):
        for row, (_, events) in enumerate(rows):
            axes.axhline(row, color=svg.INK, alpha=0.15, linewidth=0.7)
            for event in events:
                axes.plot(
                    [event.time_s], [row], marker="|", markersize=13, markeredgewidth=2.4,
                    color=colours.get(event.label, svg.GREY),
                    alpha=0.25 + 0.75 * event.confidence,
                )  # fmt: skip
        for label, colour in colours.items():
            axes.plot([], [], marker="|", markersize=9, markeredgewidth=2.4, linestyle="none",
                      color=colour, label=label)  # fmt: skip
        axes.set_yticks(range(len(rows)), [title for title, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.6)
        axes.set_xlim(0, first.result.duration_s)
        _minutes(axes)
        if colours:
            axes.legend(**svg.LEGEND, ncols=4)
        counts = "; ".join(
            f"{title}: {formats.count(len(found), 'event')}" for title, found in rows
        )
        return svg.inline(
            figure,
            name=f"timeline-{number}",
            title=f"When something happens in {first.planned.title}",
            description=f"{counts}. The fainter a mark, the less confident.",
        )


def _colours(runs: list[Spotted]) -> dict[str, str]:
    """A colour for each label that is there."""
    there = {event.label for one in runs for event in (*one.events, *(one.truth or ()))}
    labels = [label for label in runs[0].task.labels if label in there]
    return {label: svg.SERIES[min(n, LABELS_AT_MOST - 1)] for n, label in enumerate(labels)}


def _minutes(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}")
    )
    axes.set_xlabel("Time in the video; the fainter a mark, the less confident")


def curves(spotted: list[Spotted]) -> Html | None:
    """Precision against recall as ever less confident predictions are taken in."""
    shown = [
        (one, label)
        for one in spotted
        if one.measures
        for label in one.measures.scores.labels
        if label.curve
    ]
    if not shown:
        return None
    colours = _colours([one for one, _ in shown])
    styles = ("-", "--", ":", "-.")
    models = list(dict.fromkeys(one.planned.model_title for one, _ in shown))
    with svg.canvas(WIDTH_IN, CURVE_IN) as (figure, axes):
        for one, label in shown:
            axes.plot(
                [point.recall for point in label.curve],
                [point.precision for point in label.curve],
                color=colours.get(label.label, svg.GREY),
                linestyle=styles[models.index(one.planned.model_title) % len(styles)],
                marker=".", linewidth=1.4,
            )  # fmt: skip
        for name, colour in colours.items():
            axes.plot([], [], color=colour, label=name)
        for number, name in enumerate(models if len(models) > 1 else ()):
            axes.plot([], [], color=svg.INK, linestyle=styles[number % len(styles)],
                      label=name)  # fmt: skip
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("Recall: share of what happened that was found")
        axes.set_ylabel("Precision")
        axes.legend(**svg.LEGEND, ncols=3)
        told = "; ".join(
            f"{label.label} of {one.planned.model_title} on {one.planned.title} ends at precision "
            f"{label.curve[-1].precision:.0%} and recall {label.curve[-1].recall:.0%}"
            for one, label in shown
        )
        return svg.inline(
            figure, "precision-recall", "Precision and recall of each label", f"{told}."
        )
