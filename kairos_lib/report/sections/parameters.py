"""How the models were run: every parameter as it was resolved, and which ones were set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.sections.tables import Cell, Column, table
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.key_difference import key_inputs

# The device says where a server is; its full address may be private.
HIDDEN = frozenset({"server.base_url"})


def parameters(suite: SuiteData) -> Html | None:
    """A row for each parameter, a column for each model."""
    models: dict[str, tuple[str, dict[str, str], frozenset[str]]] = {}
    for run in suite.runs:
        if run.planned.model not in models and (resolved := _resolved(run)):
            given = run.provenance.given if run.provenance else {}
            titled = (run.planned.model_title, resolved, frozenset(dict(_flat(given))))
            models[run.planned.model] = titled
    names = dict.fromkeys(name for _, resolved, _ in models.values() for name in resolved)
    columns = [
        Column("Parameter", number=False),
        *(Column(title, number=False, wide=True) for title, _, _ in models.values()),
    ]
    return table(
        "Parameters of the models, as they were resolved",
        columns,
        (
            (name, *(_cell(name, resolved, given) for _, resolved, given in models.values()))
            for name in names
        ),
    )


def _resolved(run: VlmRun) -> dict[str, str]:
    """The resolved parameters in the run's key; empty if the file is missing or damaged."""
    try:
        found = dict(_flat(key_inputs(run.folder).get("parameters", {})))
    except AttributeError:
        return {}
    return {name: value for name, value in found.items() if name not in HIDDEN}


def _flat(values: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """`{"frames": {"count": 2}}` as `frames.count`, `2`."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{within}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{within}{name}", ", ".join(map(str, value)) or "none"
        elif value is None or value == {} or value == "":
            yield f"{within}{name}", "none"
        else:
            yield f"{within}{name}", str(value)


def _cell(name: str, resolved: Mapping[str, str], given: frozenset[str]) -> Cell:
    """A value, marked if it is a default. Old runs do not record that."""
    value = resolved.get(name, MISSING)
    if name not in resolved or not given or name in given:
        return value
    return render("measure", value=value, note="by default")
