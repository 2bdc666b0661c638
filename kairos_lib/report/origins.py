"""Where the numbers come from: models, weights, machines and versions."""

from __future__ import annotations

from kairos_lib.report import formats
from kairos_lib.report.formats import MISSING
from kairos_lib.report.html import Html, joined, render
from kairos_lib.report.suite import Machine, Provenance, SuiteData
from kairos_lib.report.summary import pairs
from kairos_lib.report.tables import MODEL, Column, parameters, table

IDENTITY_CHARACTERS = 12
"""Enough of a commit or a SHA-256 to tell it from any other."""


def origins(suite: SuiteData) -> Html | None:
    """What the models were, and what they were run with."""
    pieces = [piece for piece in (_models(suite), _setups(suite), _packages(suite)) if piece]
    return joined(*pieces) if pieces else None


def _models(suite: SuiteData) -> Html | None:
    columns = (
        MODEL, Column("Weights", number=False),
        Column("Identity", number=False), Column("Parameters"),
        Column("Attention", number=False), Column("Device", number=False, wide=True),
    )  # fmt: skip
    rows: dict[tuple[str, ...], None] = {}
    for pair in pairs(suite):
        for result in pair.results:
            row = (
                pair.model_title, result.weights_source,
                result.weights[:IDENTITY_CHARACTERS] or MISSING,
                parameters(result.parameters_millions), result.attention, result.device,
            )  # fmt: skip
            rows[row] = None
    return table("Models", columns, rows)


def _setups(suite: SuiteData) -> Html | None:
    """One row for each way in which runs were made, with how many were."""
    columns = (
        Column("Processor", number=False, wide=True), Column("Memory"),
        Column("GPU", number=False, wide=True),
        Column("System", number=False), Column("Kairos", number=False),
        Column("Commit", number=False), Column("Python", number=False), Column("Runs"),
    )  # fmt: skip
    counts: dict[tuple[str, ...], int] = {}
    for provenance in _provenances(suite):
        machine = provenance.machine
        row = (
            f"{machine.cpu or 'unknown'}, {machine.threads or '?'} threads",
            formats.memory(machine.ram_mib),
            _gpus(machine),
            machine.system,
            provenance.kairos,
            _commit(provenance),
            provenance.python,
        )
        counts[row] = counts.get(row, 0) + 1
    return table("Machines and code", columns, ((*row, f"{n}") for row, n in counts.items()))


def _packages(suite: SuiteData) -> Html | None:
    """Each package with its version; with all of them, where runs differ."""
    versions: dict[str, dict[str, None]] = {}
    for provenance in _provenances(suite):
        for package, version in provenance.packages.items():
            versions.setdefault(package, {})[version] = None
    listed = [f"{package} {' / '.join(found)}" for package, found in versions.items()]
    return render("packages", packages=listed) if listed else None


def _provenances(suite: SuiteData) -> list[Provenance]:
    return [run.provenance for run in suite.everything if run.provenance is not None]


def _gpus(machine: Machine) -> str:
    if not machine.gpus:
        return "none"
    return ", ".join(
        f"{gpu.name} ({formats.memory(gpu.memory_mib)}, driver {gpu.driver})"
        for gpu in machine.gpus
    )


def _commit(provenance: Provenance) -> str:
    if provenance.git.commit is None:
        return "not a checkout"
    changed = ", with changes" if provenance.git.dirty else ""
    return provenance.git.commit[:IDENTITY_CHARACTERS] + changed
