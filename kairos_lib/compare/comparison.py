"""How many times as long B takes as A, and whether the difference is shown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kairos_lib import formats
from kairos_lib.compare.named_runs import NamedRuns
from kairos_lib.compare.pairing import Round, VideoPair, pair_up, seconds_alone
from kairos_lib.compare.reservations import differences, reservations
from kairos_lib.errors import KairosError
from kairos_lib.formats import Writer
from kairos_lib.results.ratios import ALIKE, Both, over_videos, peaks
from kairos_lib.statistics.decision import Ratio

ALL_VIDEOS, ALL_MODELS = "all videos", "all models"


@dataclass(frozen=True)
class Quantity:
    """A quantity that is compared."""

    name: str
    title: str
    of: Callable[[VideoPair, Round], Both | None]
    """A's and B's value in a round; None if they cannot be compared."""
    written: Writer
    lower: str
    higher: str
    decides: bool = True
    """Whether a regression of it is a regression of the whole comparison."""
    least: float = 0.0
    """Differences below this share are not worth naming."""


def _offline_s(pair: VideoPair, both: Round) -> Both | None:
    a, b = both.results
    return (a.vlm_time_s, b.vlm_time_s) if pair.same_scenes else None


def _alone_s(pair: VideoPair, both: Round) -> Both | None:
    """Mean seconds of the scenes that are in both samples."""
    a, b = seconds_alone(both.a.folder), seconds_alone(both.b.folder)
    known = [(one, other) for one, other in pair.shared.items() if one in a and other in b]
    if not known:
        return None
    return statistics.fmean(a[n] for n, _ in known), statistics.fmean(b[n] for _, n in known)


def _memory_mib(pair: VideoPair, both: Round) -> Both | None:
    return peaks(*both.results)


OFFLINE = Quantity("vlm_time", "VLM time", _offline_s, formats.work, "faster", "slower")
ALONE = Quantity("single_stream", "single-stream", _alone_s, formats.work, "faster", "slower")
MEMORY = Quantity(
    "peak_memory", "peak memory", _memory_mib, formats.memory, "less", "more", decides=False,
    least=ALIKE,
)  # fmt: skip
QUANTITIES = (OFFLINE, ALONE, MEMORY)


@dataclass(frozen=True)
class Row:
    """One quantity of a model on a video, or on all of them."""

    model: str
    video: str
    quantity: Quantity
    a: float | None
    """Median of the rounds; None over several videos."""
    b: float | None
    ratio: Ratio | None
    """None if no round can be compared."""
    overall: bool
    """Whether it covers all videos of a model: only such rows decide."""

    @property
    def verdict(self) -> str:
        """What the rounds show."""
        if self.ratio is None:
            return "not compared"
        words = {"lower": self.quantity.lower, "higher": self.quantity.higher}
        shown = self.ratio.beyond(self.quantity.least)
        return words.get(shown, shown)


@dataclass(frozen=True)
class Comparison:
    """B against A."""

    a: str
    b: str
    threshold: float
    rows: tuple[Row, ...]
    marks: tuple[str, ...]
    """Reasons to doubt the ratios."""
    differences: tuple[str, ...]
    """Differences in what A and B were made of."""
    left_out: tuple[str, ...]

    @property
    def deciding(self) -> list[Row]:
        """The rows that decide, if they have enough rounds."""
        return [
            row
            for row in self.rows
            if row.overall
            and row.quantity.decides
            and row.ratio is not None
            and row.ratio.direction != "too few rounds"
        ]

    @property
    def regressions(self) -> list[Row]:
        """The rows with a regression beyond the threshold."""
        return [row for row in self.deciding if row.ratio and row.ratio.regressed(self.threshold)]


def compare(
    a: NamedRuns, b: NamedRuns, threshold: float, models: tuple[str, ...] = ()
) -> Comparison:
    """Compare B with A.

    Args:
        a: The baseline.
        b: Compared with it.
        threshold: A slowdown of at least this share is a regression, 0.05 for 5 %.
        models: Only these; all if empty.

    Raises:
        KairosError: Nothing of A can be compared with anything of B; the message says why.
    """
    pairs, alone = pair_up(a, b, models)
    left_out = [*alone, *(line for pair in pairs for line in pair.left_out), *_uncut(pairs)]
    rows = _rows(pairs)
    if all(row.ratio is None for row in rows):
        raise KairosError(
            f"no round of A={a.given} can be compared with one of B={b.given}: {left_out[0]}"
        )
    return Comparison(
        a=a.given,
        b=b.given,
        threshold=threshold,
        rows=tuple(rows),
        marks=tuple(reservations(a, b, pairs)),
        differences=tuple(differences(a, b, pairs)),
        left_out=tuple(left_out),
    )


def _uncut(pairs: list[VideoPair]) -> list[str]:
    """Videos whose scenes differ between A and B."""
    return [
        f"{pair.models[0]}, {pair.video}: A and B cut it into different scenes, so only the "
        f"{len(pair.shared):,} that both have are compared"
        if all(pair.bounds)
        else f"{pair.models[0]}, {pair.video}: its scenes are no longer known"
        for pair in pairs
        if not pair.same_scenes and pair.rounds
    ]


def _rows(pairs: Sequence[VideoPair]) -> list[Row]:
    """Each model on each video, then on all of them; then all models."""
    models = list(dict.fromkeys(pair.models for pair in pairs))
    rows = []
    for model in models:
        own = [pair for pair in pairs if pair.models == model]
        rows += [_row(pair, quantity, len(own) == 1) for pair in own for quantity in QUANTITIES]
        if len(own) > 1:
            rows += [_over_all(own[0].name, own, quantity, True) for quantity in QUANTITIES]
    if len(models) > 1:
        rows += [_over_all(ALL_MODELS, pairs, quantity, False) for quantity in QUANTITIES]
    return rows


def _figures(pair: VideoPair, quantity: Quantity) -> dict[int, Both]:
    """A's and B's value in each round that has both."""
    return {each.number: both for each in pair.rounds if (both := quantity.of(pair, each))}


def _row(pair: VideoPair, quantity: Quantity, overall: bool) -> Row:
    figures = _figures(pair, quantity)
    if not figures:
        return Row(pair.name, pair.title, quantity, None, None, None, overall)
    return Row(
        model=pair.name,
        video=pair.title,
        quantity=quantity,
        a=statistics.median(a for a, _ in figures.values()),
        b=statistics.median(b for _, b in figures.values()),
        ratio=over_videos([figures]),
        overall=overall,
    )


def _over_all(model: str, pairs: Sequence[VideoPair], quantity: Quantity, overall: bool) -> Row:
    """The mean ratio of several, equally weighted, from the rounds that all of them have."""
    ratio = over_videos([_figures(pair, quantity) for pair in pairs])
    return Row(model, ALL_VIDEOS, quantity, None, None, ratio, overall)
