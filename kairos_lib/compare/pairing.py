"""Which runs of A and B go together: the same video, the same scenes, the same round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kairos_lib.compare.named_runs import NamedRuns
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.results.comparability import unfit
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, VlmResult

Bounds = tuple[int, int]
"""Where a scene starts and ends, in milliseconds."""


@dataclass(frozen=True)
class Round:
    """One round of A and the same round of B."""

    number: int
    a: VlmRun
    b: VlmRun

    @property
    def results(self) -> tuple[VlmResult, VlmResult]:
        """Results of both."""
        assert self.a.result is not None and self.b.result is not None
        return self.a.result, self.b.result


@dataclass(frozen=True)
class VideoPair:
    """A model of A and one of B on the same video."""

    models: tuple[str, str]
    titles: tuple[str, str]
    video: str
    title: str
    rounds: tuple[Round, ...]
    """Rounds in which both runs may be compared."""
    left_out: tuple[str, ...]
    """What is not compared and why, one line each."""
    bounds: tuple[dict[int, Bounds], dict[int, Bounds]]
    """Start and end of each scene, in A and in B; empty if base processing is missing."""

    @property
    def name(self) -> str:
        """Name of the model, or of both if they differ."""
        return " → ".join(dict.fromkeys(self.titles))

    @property
    def same_scenes(self) -> bool:
        """Whether both are known to cut the video at the same positions."""
        a, b = self.bounds
        return bool(a) and a == b

    @cached_property
    def shared(self) -> dict[int, int]:
        """Each scene of A that B has too, with its index there."""
        a, b = self.bounds
        places = {bounds: number for number, bounds in b.items()}
        return {number: places[bounds] for number, bounds in a.items() if bounds in places}


def pair_up(
    a: NamedRuns, b: NamedRuns, models: tuple[str, ...] = ()
) -> tuple[list[VideoPair], list[str]]:
    """Pair the runs of two sides.

    Args:
        a: The baseline.
        b: Compared with it.
        models: Only these, by their names in both; all if empty.

    Returns:
        The pairs, in the order of A's plan, and what has no counterpart, one line each.

    Raises:
        KairosError: They have nothing in common, or are the same runs.
    """
    pairs, alone = [], _alone(a, b, models)
    for first, second in _models(a, b, models):
        for video in dict.fromkeys(r.planned.video for r in a.runs if r.planned.model == first):
            other, problem = _same_video(a, b, second, video)
            if problem:
                alone.append(f"{first}, {video}: {problem}")
            else:
                pairs.append(_pair(a, b, (first, second), (video, other)))
    if not pairs:
        reason = alone[0] if alone else f"A has {_described(a)}, B has {_described(b)}"
        raise KairosError(
            f"A={a.given} and B={b.given} have no model and video in common: {reason}"
        )
    folders = [(one.a.folder.resolve(), one.b.folder.resolve()) for p in pairs for one in p.rounds]
    if any(first == second for first, second in folders):
        raise KairosError(f"A={a.given} and B={b.given} are the same runs: name two")
    return pairs, alone


def _models(a: NamedRuns, b: NamedRuns, wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of a model of A and one of B."""
    if a.model and b.model:
        if wanted:
            raise KairosError("MODEL is for models of the same name: A and B name theirs already")
        yield a.model, b.model
        return
    for name in wanted:
        for side, letter in ((a, "A"), (b, "B")):
            if name not in side.models:
                known = ", ".join(side.models)
                raise KairosError(f"MODEL={name}: {letter}={side.given} has {known}")
    yield from ((n, n) for n in a.models if n in b.models and (not wanted or n in wanted))


def _alone(a: NamedRuns, b: NamedRuns, wanted: tuple[str, ...]) -> list[str]:
    """Models that only one side has; empty if each side names one."""
    lines = []
    for side, other, letter in ((a, b, "B"), (b, a, "A")):
        if not other.model and not wanted:
            lines += [
                f"{name}: not in {letter}" for name in side.models if name not in other.models
            ]
    return [] if a.model and b.model else lines


def _described(side: NamedRuns) -> str:
    videos = dict.fromkeys(run.planned.video for run in side.runs)
    return f"{', '.join(side.models)} on {', '.join(videos)}"


def _same_video(a: NamedRuns, b: NamedRuns, model: str, video: str) -> tuple[str, str]:
    """B's name for a video of A, or why there is none."""
    names = dict.fromkeys(run.planned.video for run in b.runs if run.planned.model == model)
    sha256 = _sha256(a, video)
    others = {name: _sha256(b, name) for name in names}
    if video in others and (not sha256 or not others[video] or sha256 == others[video]):
        return video, ""  # By name alone, if base processing did not get to hash its content.
    same = [name for name, other in others.items() if sha256 and other == sha256]
    if same:
        return same[0], ""
    return "", "B's is another file (SHA-256)" if video in others else "not in B"


def _sha256(side: NamedRuns, video: str) -> str:
    base = side.suite.base(video)
    return base.result.facts.sha256 if base and base.result else ""


def _pair(
    a: NamedRuns, b: NamedRuns, models: tuple[str, str], videos: tuple[str, str]
) -> VideoPair:
    runs = [
        [r for r in side.runs if r.planned.model == model and r.planned.video == video]
        for side, model, video in zip((a, b), models, videos, strict=True)
    ]
    by_round = [{run.planned.repeat: run for run in each} for each in runs]
    left_out, rounds = [], []
    for number in sorted({*by_round[0], *by_round[1]}):
        first, second = (each.get(number) for each in by_round)
        reasons = {
            letter: unfit(run, side.suite) if run else "has no such round"
            for letter, side, run in (("A", a, first), ("B", b, second))
        }
        if first is None or second is None or any(reasons.values()):
            why = "; ".join(f"{side} {reason}" for side, reason in reasons.items() if reason)
            left_out.append(f"{models[0]}, {videos[0]}, round {number}: {why}")
        else:
            rounds.append(Round(number, first, second))
    planned = [each[0].planned for each in runs]
    return VideoPair(
        models=models,
        titles=(planned[0].model_title, planned[1].model_title),
        video=videos[0],
        title=a.suite.video_title(videos[0]),
        rounds=tuple(rounds),
        left_out=tuple(left_out),
        bounds=(_bounds(a.suite.base(videos[0])), _bounds(b.suite.base(videos[1]))),
    )


def _bounds(base: BaseRun | None) -> dict[int, Bounds]:
    if base is None:
        return {}
    return {
        scene.index: (round(scene.start_s * 1000), round(scene.end_s * 1000))
        for scene in Journal(base.folder / "scenes.jsonl", Scene)
    }


def seconds_alone(folder: Path) -> dict[int, float]:
    """Seconds of each scene of the single-stream sample that has a caption."""
    journal = Journal(folder / "single_stream.jsonl", Caption)
    return {one.scene: one.timing.total_s for one in journal if not one.error}
