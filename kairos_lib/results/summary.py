"""Numbers over repeats, and one tidy row for each run and scenario."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kairos_lib.results import rates
from kairos_lib.results.badges import Badge, of_run, ordered
from kairos_lib.results.comparability import Fitness, divide
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.vlm.records import ScenarioResult, VlmResult

if TYPE_CHECKING:
    import pandas as pd

Scenario = Literal["single-stream", "offline"]


@dataclass(frozen=True)
class Measure:
    """A number measured once or several times."""

    value: float
    """The median; without a statistic, the value of the first run."""
    low: float
    high: float
    n: int
    """Number of runs it was taken over; 0 if no run counts, so that there is no statistic."""


@dataclass(frozen=True)
class Pair:
    """One model on one video, all repeats."""

    model: str
    model_title: str
    video: str
    title: str
    runs: tuple[VlmRun, ...]
    badges: frozenset[Badge]
    fitness: Fitness
    """Which of the runs may be ranked and compared."""
    length_s: float | None
    scenes: int | None

    @property
    def results(self) -> list[VlmResult]:
        """Results of the repeats that are done."""
        return [run.result for run in self.runs if run.result is not None]

    def measure(
        self, scenario: Scenario, number: Callable[[ScenarioResult], float | None]
    ) -> Measure | None:
        """A number of one scenario over the repeats that count.

        If the only defect of all repeats is that they were made on another machine, over those.
        """
        counted = self.fitness.runs or self.fitness.elsewhere
        whole = [
            value
            for run in counted
            if run.result is not None and (value := number(of(run.result, scenario))) is not None
        ]
        if whole:
            return Measure(statistics.median(whole), min(whole), max(whole), len(whole))
        others = [] if counted else self.results
        uncounted = [v for result in others if (v := number(of(result, scenario))) is not None]
        return Measure(uncounted[0], uncounted[0], uncounted[0], 0) if uncounted else None

    @property
    def vlm_time_s(self) -> Measure | None:
        """The headline: wall time of the offline scenario."""
        return self.measure("offline", lambda scenario: scenario.time_s)

    @property
    def rtf(self) -> Measure | None:
        """Real-time factor of the offline scenario."""
        length_s = self.length_s
        if not length_s:
            return None
        return self.measure("offline", lambda scenario: scenario.time_s / length_s)

    @property
    def single_stream_rtf(self) -> Measure | None:
        """Real-time factor of the single-stream scenario; of a sample, an estimate for all."""
        scenes, length_s = self.scenes, self.length_s
        if not scenes or not length_s:
            return None
        return self.measure("single-stream", lambda scenario: rates.rtf(scenario, scenes, length_s))

    @property
    def joules_per_minute(self) -> Measure | None:
        """Energy of the offline scenario for each minute of video."""
        length_s = self.length_s
        if not length_s:
            return None
        return self.measure("offline", lambda scenario: rates.joules_per_minute(scenario, length_s))

    def cost(self, price_per_hour: float) -> Measure | None:
        """Cost of an hour of video, offline, on a machine at a given price."""
        rtf = self.rtf
        if rtf is None:
            return None
        value, low, high = (price_per_hour * one for one in (rtf.value, rtf.low, rtf.high))
        return Measure(value, low, high, rtf.n)

    @property
    def shown(self) -> VlmRun:
        """The run whose captions are shown: the first that counts, is done, or got furthest."""
        done = self.fitness.runs or [run for run in self.runs if run.result is not None]
        return done[0] if done else max(self.runs, key=lambda run: run.captions)


def of(result: VlmResult, scenario: Scenario) -> ScenarioResult:
    """One of a result's two scenarios."""
    return result.offline if scenario == "offline" else result.single_stream


def pairs(suite: SuiteData) -> list[Pair]:
    """Every model on every video, in the order of the plan."""
    grouped: dict[tuple[str, str], list[VlmRun]] = {}
    for run in suite.runs:
        grouped.setdefault((run.planned.model, run.planned.video), []).append(run)
    return [_pair(suite, tuple(runs)) for runs in grouped.values()]


def _pair(suite: SuiteData, runs: tuple[VlmRun, ...]) -> Pair:
    planned = runs[0].planned
    base = suite.base(planned.video)
    facts = next((run.result for run in runs if run.result), None)
    known = base.result if base else None
    length_s = facts.duration_s if facts else known.facts.duration_s if known else None
    scenes = facts.scenes if facts else known.scenes if known else None
    return Pair(
        model=planned.model,
        model_title=planned.model_title,
        video=planned.video,
        title=suite.video_title(planned.video),
        runs=runs,
        badges=frozenset(badge for run in runs for badge in of_run(run, suite)),
        fitness=divide(runs, suite),
        length_s=length_s,
        scenes=scenes,
    )


def rows(suite: SuiteData) -> list[dict[str, Any]]:
    """One row for each model, video, repeat and scenario; a failed run has rows without numbers."""
    return [
        _row(suite, pair, run, scenario)
        for pair in pairs(suite)
        for run in pair.runs
        for scenario in SCENARIOS
    ]


SCENARIOS: tuple[Scenario, ...] = ("offline", "single-stream")
SCENARIO_FIELDS = (
    "time_s", "prompt_tokens", "visual_tokens", "new_tokens", "truncated", "batch_size", "parts",
    "frames", "energy_j",
)  # fmt: skip
RATES: dict[str, Callable[[ScenarioResult], float | None]] = {
    "seconds_per_scene": rates.seconds_per_scene,
    "ttft_s": rates.prefill_s,
    "prefill_tokens_per_s": rates.prefill_rate,
    "decode_tokens_per_s": rates.decode_rate,
    "new_tokens_per_s": rates.throughput,
    "visual_tokens_per_frame": rates.visual_tokens_per_frame,
    "mean_power_w": rates.watts,
}
OF_ONE_SCENE = ("ttft_s", "prefill_tokens_per_s", "decode_tokens_per_s")
"""Rates of the single-stream scenario only: in a batch, a scene has no time of its own."""
TIMING_FIELDS = ("frames_s", "preprocess_s", "prefill_s", "decode_s", "other_s")
RESOURCE_FIELDS = (
    "peak_ram_mib", "peak_vram_mib", "peak_device_vram_mib", "peak_torch_allocated_mib",
    "peak_torch_reserved_mib", "mean_cpu_cores", "mean_gpu_percent", "foreign_cpu_cores",
    "foreign_vram_mib", "foreign_gpu_processes",
)  # fmt: skip
RESULT_FIELDS = (
    "key", "load_s", "weights_source", "weights", "device", "attention", "parameters_millions",
    "synthetic_video", "batched_otherwise",
)  # fmt: skip
TYPES = {
    "string": (
        "suite", "model", "model_title", "video", "title", "scenario", "state", "reason",
        "message", "badges", "key", "weights_source", "weights", "device", "attention", "currency",
        "folder",
    ),
    "Int64": (
        "repeat", "scenes", "scenes_run", "scenes_failed", "prompt_tokens", "visual_tokens",
        "new_tokens", "truncated", "batch_size", "parts", "frames", "batched_otherwise",
        "foreign_gpu_processes",
    ),
    "boolean": ("in_statistics", "synthetic_video"),
    "float64": (
        "length_s", "rtf", "rtf_of_all_scenes", "time_s", "load_s", "parameters_millions",
        "energy_j", "joules_per_video_minute", "cost_per_video_hour", *TIMING_FIELDS, *RATES,
        *(name for name in RESOURCE_FIELDS if name != "foreign_gpu_processes"),
    ),
}  # fmt: skip


def _row(suite: SuiteData, pair: Pair, run: VlmRun, scenario: Scenario) -> dict[str, Any]:
    result = run.result
    one = of(result, scenario) if result else None
    alone = scenario == "single-stream"
    # A sample of the scenes has a time but no real-time factor.
    whole = one is not None and result is not None and one.scenes == result.scenes
    return {
        "suite": suite.manifest.name,
        "model": pair.model,
        "model_title": pair.model_title,
        "video": pair.video,
        "title": pair.title,
        "repeat": run.planned.repeat,
        "scenario": scenario,
        "state": run.outcome.state,
        "reason": run.outcome.reason,
        "message": run.outcome.message,
        "badges": "; ".join(badge.text for badge in ordered(of_run(run, suite))),
        "length_s": pair.length_s,
        "scenes": pair.scenes,
        "scenes_run": one.scenes if one else None,
        "scenes_failed": one.failed if one else None,
        "rtf": one.time_s / pair.length_s if one and whole and pair.length_s else None,
        "rtf_of_all_scenes": (
            rates.rtf(one, pair.scenes, pair.length_s)
            if one and pair.scenes and pair.length_s
            else None
        ),
        "in_statistics": run in pair.fitness.runs,
        **{name: getattr(one, name, None) for name in SCENARIO_FIELDS},
        "joules_per_video_minute": (
            rates.joules_per_minute(one, pair.length_s) if one and pair.length_s else None
        ),
        **_cost(suite, pair, result, scenario),
        **{name: getattr(one.timing, name) if one else None for name in TIMING_FIELDS},
        **{
            name: rate(one) if one and (alone or name not in OF_ONE_SCENE) else None
            for name, rate in RATES.items()
        },
        **{name: getattr(result.resources, name) if result else None for name in RESOURCE_FIELDS},
        **{name: getattr(result, name, None) for name in RESULT_FIELDS},
        "folder": run.planned.folder,
    }


def _cost(
    suite: SuiteData, pair: Pair, result: VlmResult | None, scenario: Scenario
) -> dict[str, Any]:
    """Cost of an hour of video, offline, at the suite's price; a server has its own prices."""
    price = suite.manifest.price_per_hour
    known = price is not None and result is not None and result.weights_source != "server"
    if not known or scenario != "offline" or not pair.length_s:
        return {"cost_per_video_hour": None, "currency": None}
    assert price is not None
    assert result is not None
    cost = result.vlm_time_s / pair.length_s * price
    return {"cost_per_video_hour": cost, "currency": suite.manifest.currency}


def frame(suite: SuiteData) -> pd.DataFrame:
    """The rows as a table."""
    return typed(rows(suite), TYPES)


def typed(listed: list[dict[str, Any]], kinds: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rows as a table, with the same column types even if runs failed.

    Args:
        listed: Rows with the same columns; may be empty.
        kinds: The columns of each type.
    """
    import pandas as pd

    types = {name: kind for kind, names in kinds.items() for name in names}
    table = pd.DataFrame(listed, columns=None if listed else list(types))
    return table.astype(types)
