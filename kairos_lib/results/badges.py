"""Badges: what a reader must know before trusting a number or a caption."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kairos_lib.events.records import EventsResult
from kairos_lib.measure.usage import Resources
from kairos_lib.results.step_runs import BaseRun, StepRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.vlm.records import VlmResult

SHARED_ABOVE_CORES = 0.5
"""Mean number of cores kept busy by other processes; any idle system uses fewer."""
SHARED_ABOVE_MIB = 64
"""GPU memory held by other processes; a display or a daemon takes less."""


@dataclass(frozen=True)
class Badge:
    """A label of a few words, and its explanation."""

    text: str
    explanation: str
    tone: Literal["note", "warning", "bad"]


NANO = Badge(
    "nano weights",
    "A very small model that ships with Kairos. It knows only its own synthetic world; its speed "
    "says nothing about models of real size.",
    "note",
)
OUTSIDE = Badge(
    "nano model outside its world: captions mean nothing",
    "A nano model knows only the synthetic clips that ship with Kairos. Shown any other video it "
    "still writes sentences, but what they say is meaningless, and its speed says nothing about "
    "models of real size.",
    "bad",
)
OUTSIDE_BASE = Badge(
    "nano models outside their world: findings mean nothing",
    "Speech, sounds and objects were detected by nano models, which know only the synthetic "
    "clips that ship with Kairos. On any other video their findings are meaningless.",
    "bad",
)
DAMAGED = Badge(
    "damaged file",
    "The file could be read, but something is wrong with it; the details are listed with base "
    "processing.",
    "warning",
)
UNSHOWN = Badge(
    "picture not shown",
    "The file is damaged, or so large once unpacked that it would take gigabytes: repeat the "
    "video's base processing with FRESH=1.",
    "warning",
)
DUMMY = Badge(
    "dummy weights: captions are noise",
    "The model has its full size but random weights. Its speed and memory are real; its captions "
    "are noise.",
    "bad",
)
SERVER = Badge(
    "on a server",
    "A server ran the model: its times include waiting for the network and the server's limits, "
    "its memory is not known, and there is no way to check which weights it has.",
    "warning",
)
OFFLOADED = Badge(
    "offloaded",
    "The GPU had no room for all weights: some were kept in RAM or on the disk and fetched for "
    "every token, which is many times slower.",
    "warning",
)
CO_RUN = Badge(
    "co-run",
    "Notebooks ran several at once on this machine (SLOTS=): each can have made the others slower.",
    "warning",
)
SHARED_GPU = Badge(
    "shared GPU",
    f"Other processes held more than {SHARED_ABOVE_MIB} MiB of the GPUs' memory during the run, "
    "and may have computed there.",
    "warning",
)
SYNTHETIC = Badge(
    "synthetic video",
    "The video was drawn by a program. Results on it say nothing about real footage.",
    "note",
)
PARTIAL = Badge(
    "partial",
    "Some scenes have no caption, so the numbers cover only a part of the video: they are kept out "
    "of medians and ranges, and nothing is ranked by them.",
    "warning",
)
NO_NUMBERS = Badge(
    "NaN scores",
    "In some scenes the model computed invalid numbers (NaN or infinity): its weights are damaged, "
    "or too large for its precision. These have no caption, and other captions may be wrong.",
    "bad",
)
RESUMED = Badge(
    "resumed",
    "The run was interrupted and resumed later. Its time is the sum of its parts and is left out "
    "of medians and ranges.",
    "warning",
)
STAGES_TAKEN_OVER = Badge(
    "stages taken over",
    "Results of some stages were reused from an earlier base run of the same video. Their "
    "times are from that run; the total covers only the other stages.",
    "note",
)
FAILED = Badge("failed", "The run failed; the reason is listed with the failed runs.", "bad")
UNFINISHED = Badge(
    "unfinished", "The run was cut short, or was still going when this was written.", "warning"
)
NOT_RUN = Badge("not run", "The run was planned but never started; the reason is listed.", "bad")
SHARED = Badge(
    "shared machine",
    f"Other processes kept more than {SHARED_ABOVE_CORES} processor cores busy during the run, "
    "which can make times longer.",
    "warning",
)
OTHER_MACHINE = Badge(
    "other machine",
    "Made on a different machine than most of this suite's models, or on an unknown one: its "
    "times cannot be compared with the rest.",
    "warning",
)
BY_HAND = Badge(
    "run by hand",
    "The notebook was run in JupyterLab rather than by the runner, in a kernel that may have "
    "held other things in memory.",
    "note",
)
NEWER = Badge(
    "newer records",
    "A newer version of Kairos wrote this run: fields unknown to this version are left out.",
    "warning",
)
ORDER = (
    FAILED, NOT_RUN, UNFINISHED, NO_NUMBERS, DAMAGED, UNSHOWN, PARTIAL, RESUMED,
    STAGES_TAKEN_OVER, OUTSIDE, OUTSIDE_BASE, NANO, DUMMY, SERVER, OFFLOADED, SYNTHETIC, CO_RUN,
    SHARED, SHARED_GPU, OTHER_MACHINE, BY_HAND, NEWER,
)  # fmt: skip
BROKEN = {"failed": FAILED, "not run": NOT_RUN, "unfinished": UNFINISHED}


def of_captions(result: VlmResult) -> set[Badge]:
    """Badges that matter for reading what a model wrote."""
    if result.weights_source == "dummy":
        return {DUMMY}
    if result.weights_source != "nano":
        return set()
    return {NANO} if result.synthetic_video else {OUTSIDE}


def of_run(run: VlmRun, suite: SuiteData) -> set[Badge]:
    """Badges of a model's run."""
    found = {BROKEN[run.outcome.state]} if run.outcome.state in BROKEN else set()
    if run.result is None:
        if run.captions:
            found.add(PARTIAL)
        return found | _machine(run, suite, False)
    result = run.result
    found |= of_captions(result) | _machine(run, suite, True)
    if result.synthetic_video:
        found.add(SYNTHETIC)
    captioned = result.offline.scenes - result.offline.failed
    if captioned < result.scenes or result.single_stream.failed:
        found.add(PARTIAL)
    if result.offline.no_numbers or result.single_stream.no_numbers:
        found.add(NO_NUMBERS)
    if result.offline.parts > 1 or result.single_stream.parts > 1:
        found.add(RESUMED)
    found |= _others(result.resources)
    if result.weights_source == "server":
        found.add(SERVER)
    devices = set(result.placement)
    if devices & {"cpu", "disk"} and devices - {"cpu", "disk"}:
        found.add(OFFLOADED)
    if run.status is not None and run.status.slots > 1:
        found.add(CO_RUN)
    if run.by_hand:
        found.add(BY_HAND)
    if result.newer:
        found.add(NEWER)
    return found


def of_base(base: BaseRun, suite: SuiteData) -> set[Badge]:
    """Badges of a video's base processing."""
    found = {BROKEN[base.outcome.state]} if base.outcome.state in BROKEN else set()
    if base.status is not None and base.status.slots > 1:
        found.add(CO_RUN)
    if (result := base.result) is not None:
        taken_over = [stage for stage in result.stages if stage.reused]
        # A stage that was taken over also reports what shared the machine with it.
        for used in (result.resources, *(stage.resources for stage in taken_over)):
            found |= _others(used) if used is not None else set()
        if taken_over:
            found.add(STAGES_TAKEN_OVER)
        if result.newer:
            found.add(NEWER)
        if result.resumed:
            found.add(RESUMED)
        if result.facts.problems:
            found.add(DAMAGED)
    if any(stage.weights_source == "nano" for stage in base.stages):
        found.add(NANO if base.result is None or base.result.synthetic_video else OUTSIDE_BASE)
    return found | _machine(base, suite, base.result is not None)


def of_step(step: StepRun, suite: SuiteData) -> set[Badge]:
    """Badges of a step, from what is known of steps of any kind."""
    found = {BROKEN[step.outcome.state]} if step.outcome.state in BROKEN else set()
    if step.status is not None and step.status.slots > 1:
        found.add(CO_RUN)
    if step.by_hand:
        found.add(BY_HAND)
    return found | _machine(step, suite, step.outcome.state == "done")


def of_events(run: StepRun, result: EventsResult | None, suite: SuiteData) -> set[Badge]:
    """What must be known of a model's events."""
    found = of_step(run, suite)
    if result is None:
        return found
    if result.weights_source == "nano":
        found.add(NANO if result.synthetic_video else OUTSIDE)
    if result.weights_source == "dummy":
        found.add(DUMMY)
    if result.weights_source == "server":
        found.add(SERVER)
    if result.synthetic_video:
        found.add(SYNTHETIC)
    if result.outcomes.get("failed"):
        found.add(PARTIAL)
    if result.parts > result.slices:
        found.add(RESUMED)
    if result.newer:
        found.add(NEWER)
    return found | _others(result.resources)


def _others(used: Resources) -> set[Badge]:
    """Badges for other work on the machine during the run."""
    found = set()
    if used.foreign_cpu_cores > SHARED_ABOVE_CORES:
        found.add(SHARED)
    if used.foreign_vram_mib > SHARED_ABOVE_MIB:
        found.add(SHARED_GPU)
    return found


def _machine(run: StepRun, suite: SuiteData, has_result: bool) -> set[Badge]:
    if run.provenance is None and not has_result:
        return set()  # It ended before it recorded its machine.
    machine = run.provenance.machine.same_as if run.provenance else None
    return set() if machine == suite.usual_machine else {OTHER_MACHINE}


def ordered(badges: Iterable[Badge]) -> list[Badge]:
    """Each badge once, the most serious first."""
    return sorted(set(badges), key=ORDER.index)
