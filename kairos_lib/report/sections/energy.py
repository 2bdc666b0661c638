"""Electricity used by each model, from the GPUs' own counters."""

from __future__ import annotations

from markupsafe import Markup

from kairos_lib import formats
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import MODEL, NOTES, VIDEO, Cell, Column, measured, table
from kairos_lib.results import rates
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Measure, Pair, pairs

NOT_MEASURED = "not measured"
NONE_MEASURED = (
    "Energy was not measured: no model ran on a GPU that counts it (NVIDIA's do since Volta; "
    "processors have no such counter here)."
)


def energy(suite: SuiteData) -> Html | None:
    """Energy of the offline scenario; one line if no run has any."""
    shown = [pair for pair in pairs(suite) if pair.results]
    if not shown:
        return None
    if all(result.offline.energy_j is None for pair in shown for result in pair.results):
        return Html(Markup('<p class="none">{}</p>').format(NONE_MEASURED))
    columns = (
        MODEL,
        VIDEO,
        Column(
            "Energy", explanation="Of the model's GPUs, from the first frame to the last caption"
        ),
        Column("Per video minute", explanation="Energy by the length of the video"),
        Column("Per scene"),
        Column("Mean power", explanation="Energy by VLM time, idling and other processes included"),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        each_j = pair.measure(
            "offline", lambda one: None if one.energy_j is None else one.energy_j / one.scenes
        )
        return (
            pair.model_title,
            pair.title,
            _joules(pair.measure("offline", lambda one: one.energy_j)),
            _joules(pair.joules_per_minute),
            _joules(each_j),
            _written(pair.measure("offline", rates.watts), lambda watts: f"{watts:.0f} W"),
            pills(pair.badges),
        )

    return table("Energy, offline", columns, map(row, shown))


def _joules(measure: Measure | None) -> Cell:
    return _written(measure, formats.energy)


def _written(measure: Measure | None, written: formats.Writer) -> Cell:
    return NOT_MEASURED if measure is None else measured(measure, written)
