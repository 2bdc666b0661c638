"""Rates from a scenario's sums: per scene, per second, per minute of video. Pure arithmetic."""

from __future__ import annotations

from kairos_lib.vlm.records import ScenarioResult

OTHER = "Other"
PARTS = ("Frames", "Preprocess", "Prefill", "Decode", OTHER)


def parts_per_scene(scenario: ScenarioResult) -> tuple[float, ...]:
    """Seconds per scene of each of `PARTS`."""
    timing = scenario.timing
    scenes = max(scenario.scenes, 1)
    parts = (
        timing.frames_s, timing.preprocess_s, timing.prefill_s, timing.decode_s, timing.other_s,
    )  # fmt: skip
    return tuple(part / scenes for part in parts)


def seconds_per_scene(scenario: ScenarioResult) -> float | None:
    """Wall time divided by scenes."""
    return scenario.time_s / scenario.scenes if scenario.scenes else None


def prefill_s(scenario: ScenarioResult) -> float | None:
    """Time to first token, mean per scene."""
    return scenario.timing.prefill_s / scenario.scenes if scenario.scenes else None


def decode_rate(scenario: ScenarioResult) -> float | None:
    """New tokens per second of decoding; a caption's first token belongs to prefill."""
    decoded = scenario.new_tokens - (scenario.scenes - scenario.failed)
    return decoded / scenario.timing.decode_s if scenario.timing.decode_s and decoded > 0 else None


def prefill_rate(scenario: ScenarioResult) -> float | None:
    """Prompt tokens, visual ones included, per second of prefill."""
    timing = scenario.timing
    known = timing.prefill_s and scenario.prompt_tokens
    return scenario.prompt_tokens / timing.prefill_s if known else None


def throughput(scenario: ScenarioResult) -> float | None:
    """New tokens per second of wall time."""
    return (
        scenario.new_tokens / scenario.time_s if scenario.time_s and scenario.new_tokens else None
    )


def rtf(scenario: ScenarioResult, scenes: int, length_s: float) -> float | None:
    """Real-time factor; of a sample of the scenes it is an estimate for all of them.

    Mean seconds per scene × scenes ÷ length: a model's time for a scene does not depend on the
    scene's length.

    Args:
        scenario: All scenes, or a sample of them.
        scenes: Number of scenes of the video.
        length_s: Length of the video.
    """
    each_s = seconds_per_scene(scenario)
    return each_s * scenes / length_s if each_s is not None and length_s else None


def visual_tokens_per_frame(scenario: ScenarioResult) -> float | None:
    """As counted in the run; None where nothing counts them, as with a server."""
    known = scenario.frames and scenario.visual_tokens
    return scenario.visual_tokens / scenario.frames if known else None


def joules_per_minute(scenario: ScenarioResult, length_s: float) -> float | None:
    """Energy for each minute of video."""
    if scenario.energy_j is None or not length_s:
        return None
    return scenario.energy_j / length_s * 60


def watts(scenario: ScenarioResult) -> float | None:
    """Mean power."""
    if scenario.energy_j is None or not scenario.time_s:
        return None
    return scenario.energy_j / scenario.time_s
