"""Where the numbers come from: models, weights, machines and versions."""

from __future__ import annotations

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.sections.parameters import parameters as parameters_of
from kairos_lib.report.sections.tables import LENGTH, MODEL, VIDEO, Column, parameters, table
from kairos_lib.results.machine import Gpu, Machine, Provenance
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs

IDENTITY_CHARACTERS = 12
"""Enough digits of a commit or a SHA-256 to identify it."""


def provenance(suite: SuiteData) -> Html | None:
    """Which models, settings, machines and code the runs used, and what else was running."""
    made = (
        _models(suite), parameters_of(suite), _videos(suite), _setups(suite), _meanwhile(suite),
        _packages(suite),
    )  # fmt: skip
    pieces = [piece for piece in made if piece]
    return joined(*pieces) if pieces else None


def _models(suite: SuiteData) -> Html | None:
    columns = (
        MODEL, Column("Weights", number=False),
        Column("Identity", number=False), Column("Parameters"),
        Column("Attention", number=False), Column("Device", number=False, wide=True),
        Column("Ignored generation settings", number=False, wide=True),
    )  # fmt: skip
    rows: dict[tuple[str, ...], None] = {}
    for pair in pairs(suite):
        for result in pair.results:
            row = (
                pair.model_title, result.weights_source,
                result.weights[:IDENTITY_CHARACTERS] or MISSING,
                parameters(result.parameters_millions), result.attention, result.device,
                ", ".join(result.generation_left_out) or MISSING,
            )  # fmt: skip
            rows[row] = None
    return table("Models", columns, rows)


def _setups(suite: SuiteData) -> Html | None:
    """One row for each setup that runs were made with, with the number of runs."""
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
            f"{machine.cpu or 'unknown'}, {machine.threads_text}" + _mhz(machine),
            formats.memory(machine.ram_mib),
            _gpus(machine),
            machine.system,
            provenance.kairos,
            _commit(provenance),
            provenance.python,
        )
        counts[row] = counts.get(row, 0) + 1
    return table("Machines and code", columns, ((*row, f"{n}") for row, n in counts.items()))


def _videos(suite: SuiteData) -> Html | None:
    """Which files they were."""
    columns = (
        VIDEO, Column("SHA-256", number=False, wide=True), Column("Size"), LENGTH,
        Column("Picture"), Column("Frames/s"), Column("Codec", number=False),
    )  # fmt: skip
    return table(
        "Videos",
        columns,
        (
            (
                base.planned.title, facts.sha256, f"{facts.size_bytes / 1e6:,.1f} MB",
                formats.length(facts.duration_s), f"{facts.width} × {facts.height}",
                f"{facts.frames_per_second:.4g}", facts.codec,
            )
            for base in suite.bases
            if base.result is not None and (facts := base.result.facts)
        ),
    )  # fmt: skip


def _meanwhile(suite: SuiteData) -> Html | None:
    """How busy the machine was with the runs and with other work."""
    columns = (
        MODEL, VIDEO, Column("CPU cores", explanation="Kept busy by the run, mean"),
        Column("GPU busy", explanation="Share of time of the busiest GPU, mean"),
        Column("CPU cores of others", explanation="Kept busy by other processes, mean"),
        Column("VRAM of others", explanation="The most that other processes held of the GPUs"),
        Column("Others on the GPUs", explanation="Most processes that computed there at once"),
        Column(
            "GPU clock", explanation="Processor clock just after the run ended, of its limit"
        ),
    )  # fmt: skip

    def row(pair: Pair) -> tuple[str, ...]:
        used = [result.resources for result in pair.results if result.resources.samples > 1]
        busy = [one.mean_gpu_percent for one in used if one.mean_gpu_percent is not None]
        on_gpu = any(one.peak_vram_mib is not None for one in used)
        if not used:
            return (pair.model_title, pair.title, *(MISSING,) * 5, _clock(pair))
        return (
            pair.model_title,
            pair.title,
            f"{max(one.mean_cpu_cores for one in used):.1f}",
            f"{max(busy):.0f}%" if busy else MISSING,
            f"{max(one.foreign_cpu_cores for one in used):.1f}",
            formats.memory(max(one.foreign_vram_mib for one in used)) if on_gpu else MISSING,
            f"{max(one.foreign_gpu_processes for one in used)}" if on_gpu else MISSING,
            _clock(pair),
        )

    return table(
        "What ran meanwhile: the highest of the repeats",
        columns,
        (row(pair) for pair in pairs(suite) if pair.results),
    )


def _clock(pair: Pair) -> str:
    """Lowest clock of any GPU and run."""
    clocks = [
        (gpu.sm_clock_mhz / gpu.max_sm_clock_mhz, f"{gpu.sm_clock_mhz} of {gpu.max_sm_clock_mhz}")
        for run in pair.runs
        if run.result is not None and run.provenance is not None
        for gpu in run.provenance.machine.gpus
        if gpu.sm_clock_mhz and gpu.max_sm_clock_mhz
    ]
    return f"{min(clocks)[1]} MHz" if clocks else MISSING


def _packages(suite: SuiteData) -> Html | None:
    """Each package with its version; as a table if kernels have different ones."""
    users: dict[tuple[tuple[str, str], ...], dict[str, None]] = {}
    for run in suite.everything:
        if run.provenance is not None:
            user = run.planned.kind
            if isinstance(run, VlmRun):
                user = run.planned.model_title
            elif isinstance(run, BaseRun):
                user = "Base processing"
            users.setdefault(tuple(run.provenance.packages.items()), {})[user] = None
    environments = [dict(versions) for versions in users]
    if len(environments) == 1:
        listed = [f"{package} {version}" for package, version in environments[0].items()]
        return render("packages", packages=listed) if listed else None
    names = dict.fromkeys(name for versions in environments for name in versions)
    return table(
        "Packages of each kernel",
        [
            Column("Package", number=False),
            *(Column(", ".join(who), number=False) for who in users.values()),
        ],
        ((name, *(versions.get(name, "absent") for versions in environments)) for name in names),
    )


def _provenances(suite: SuiteData) -> list[Provenance]:
    return [run.provenance for run in suite.everything if run.provenance is not None]


def _gpus(machine: Machine) -> str:
    if not machine.gpus:
        return "none"
    return ", ".join(
        f"{gpu.name} ({formats.memory(gpu.memory_mib)}, driver {gpu.driver}{_clocks(gpu)})"
        for gpu in machine.gpus
    )


def _mhz(machine: Machine) -> str:
    return f", up to {machine.cpu_max_mhz:.0f} MHz" if machine.cpu_max_mhz else ""


def _clocks(gpu: Gpu) -> str:
    """Limits only: a momentary clock would give each run a row of its own."""
    named = (("processors", gpu.max_sm_clock_mhz), ("memory", gpu.max_memory_clock_mhz))
    return "".join(f", {name} up to {mhz} MHz" for name, mhz in named if mhz)


def _commit(provenance: Provenance) -> str:
    if provenance.git.commit is None:
        return "not a checkout"
    changed = ", with changes" if provenance.git.dirty else ""
    return provenance.git.commit[:IDENTITY_CHARACTERS] + changed
