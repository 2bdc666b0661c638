"""Tables of event spotting: what was found, how right it is, and what models agree on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from kairos_lib import formats
from kairos_lib.events.ensemble import Agreement, accepted
from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html, joined
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import LENGTH, MODEL, NOTES, VIDEO, Cell, Column, table
from kairos_lib.results.badges import Badge, of_events
from kairos_lib.results.spotted import RADII, Measures, Spotted, measured, voted
from kairos_lib.results.suite import SuiteData

TIGHT = Column(
    "Tight mAP",
    explanation="SoccerNet's average-mAP with tolerances of 1 to 5 s, over the labels that happen",
)
LOOSE = Column("Loose mAP", explanation="Likewise, with tolerances of 5 to 60 s")
F1 = Column("F1", explanation="Mean over the labels that happen, at the task's tolerance")


def share(value: float | None) -> str:
    """A share from 0 to 1 as a percentage with one decimal; a dash where it is not defined."""
    return MISSING if value is None else f"{value:.1%}"


def _right(measures: Measures | None) -> tuple[str, str, str]:
    """F1, tight and loose average-mAP."""
    if measures is None:
        return (MISSING,) * 3
    return (
        share(measures.scores.macro_f1),
        share(measures.tight.present),
        share(measures.loose.present),
    )


def found(suite: SuiteData, spotted: list[Spotted]) -> Html | None:
    """Each model over each video: how much it found, how right that is, and how long it took."""
    columns = (
        MODEL, VIDEO, LENGTH, Column("Windows"), Column("Events"), F1, TIGHT, LOOSE,
        Column("Ceiling", explanation="Tight mAP of a detector without fault with these windows"),
        Column("Time", explanation="From the first frame to the last answer; of slices, the sum"),
        Column("RTF", explanation="That time by the length of what was asked about"), NOTES,
    )  # fmt: skip

    def row(one: Spotted) -> tuple[Cell, ...]:
        notes = pills(badges_of(one, suite))
        if (done := one.result) is None:
            return (one.planned.model_title, one.planned.title, *(MISSING,) * 9, notes)
        ceiling = one.ceiling.tight.present if one.ceiling else None
        return (
            one.planned.model_title, one.planned.title, formats.length(done.duration_s),
            f"{done.windows:,}", f"{done.events:,}", *_right(one.measures), share(ceiling),
            formats.work(done.time_s), formats.factor(done.time_s / done.asked_s), notes,
        )  # fmt: skip

    return table("Each model over each video", columns, map(row, spotted))


def badges_of(one: Spotted, suite: SuiteData) -> set[Badge]:
    """What must be known of one model's events."""
    return of_events(one.run, one.result, suite)


def outcomes(spotted: list[Spotted]) -> Html | None:
    """What became of the windows."""
    names = sorted({name for one in spotted if one.result for name in one.result.outcomes})
    return table(
        "What the answers came to, in windows",
        [MODEL, VIDEO, *(Column(name.capitalize()) for name in names)],
        (
            (
                one.planned.model_title,
                one.planned.title,
                *(f"{one.result.outcomes.get(name, 0):,}" for name in names),
            )
            for one in spotted
            if one.result
        ),
    )


def left_out(spotted: list[Spotted]) -> Html | None:
    """Windows without an answer, and why."""
    columns = (MODEL, VIDEO, Column("From"), Column("Reason", number=False, wide=True))
    return table(
        "Windows without an answer",
        columns,
        (
            (
                one.planned.model_title,
                one.planned.title,
                formats.time_code(answer.start_s),
                answer.error,
            )
            for one in spotted
            if one.result and one.result.outcomes.get("failed")
            for answer in one.windows
            if answer.error
        ),
    )


def by_label(spotted: list[Spotted]) -> Html | None:
    """Precision, recall and F1 of each label."""
    columns = (
        MODEL, VIDEO, Column("Label", number=False), Column("True"), Column("Found"),
        Column("Right"), Column("Precision"), Column("Recall"), Column("F1"),
        Column("Tight AP"), Column("Missed", explanation="No prediction of any label fell on it"),
        Column("Spurious", explanation="Predictions that fell on no event of any label"),
    )  # fmt: skip
    return table(
        "How right it is, label by label",
        columns,
        (
            (
                one.planned.model_title, one.planned.title, label.label, f"{label.true:,}",
                f"{label.predicted:,}", f"{label.true_positives:,}", share(label.precision),
                share(label.recall), share(label.f1),
                share(one.measures.tight.per_label.get(label.label)),
                f"{label.missed:,}", f"{label.spurious:,}",
            )
            for one in spotted
            if one.measures
            for label in one.measures.scores.labels
            if label.true or label.predicted
        ),
    )  # fmt: skip


def confusion(spotted: list[Spotted]) -> Html | None:
    """Which labels were taken for which."""
    columns = (
        MODEL, VIDEO, Column("What happened", number=False), Column("Taken for", number=False),
        Column("Times"),
    )  # fmt: skip
    return table(
        "What was taken for what",
        columns,
        (
            (one.planned.model_title, one.planned.title, mixed.true, mixed.predicted,
             f"{mixed.count:,}")
            for one in spotted
            if one.measures
            for mixed in one.measures.scores.confused
        ),
    )  # fmt: skip


def radii(spotted: list[Spotted]) -> Html | None:
    """What the same answers would come to with other merge radii."""
    columns = [MODEL, VIDEO, Column("Measure", number=False)]
    columns += [Column(f"{radius_s:g} s") for radius_s in RADII]

    def rows() -> Iterator[tuple[Cell, ...]]:
        for one in spotted:
            if one.measures is None:
                continue
            others = [_right(one.merged_within(radius_s)) for radius_s in RADII]
            for place, name in enumerate(("F1", "Tight mAP")):
                yield (
                    one.planned.model_title, one.planned.title, name,
                    *(other[place] for other in others),
                )  # fmt: skip

    return table("With another merge radius", columns, rows())


def temperatures(spotted: list[Spotted], trials: list[Spotted]) -> Html | None:
    """What the same question comes to with other temperatures."""
    kept = [one for one in trials if one.result is not None]
    warmth = sorted({one.task.sampling.temperature for one in [*spotted, *kept]}) if kept else []
    columns = [MODEL, VIDEO, Column("Measure", number=False)]
    columns += [Column(f"{temperature:g}") for temperature in warmth]

    def rows() -> Iterator[tuple[Cell, ...]]:
        for one in spotted:
            of_one = {
                other.task.sampling.temperature: other
                for other in [*kept, one]
                if (other.planned.model, other.planned.video, other.task.name)
                == (one.planned.model, one.planned.video, one.task.name)
            }
            by_column = [of_one.get(temperature) for temperature in warmth]
            counts = (
                MISSING if other is None or other.result is None else f"{other.result.events:,}"
                for other in by_column
            )
            yield (one.planned.model_title, one.planned.title, "Events", *counts)
            if one.truth is None:
                continue
            right = [_right(other.measures if other else None) for other in by_column]
            for place, name in enumerate(("F1", "Tight mAP")):
                yield (
                    one.planned.model_title, one.planned.title, name,
                    *(other[place] for other in right),
                )  # fmt: skip

    return table("With another temperature", columns, rows()) if kept else None


def ensembles(spotted: list[Spotted]) -> Html | None:
    """Of each video that several models looked at: what they agree on, and their vote."""
    pieces = []
    for title, runs in together(spotted).items():
        agreed = voted(runs)
        pieces += [_counts(title, agreed), _voted(title, runs, agreed)]
    shown = [piece for piece in pieces if piece is not None]
    return joined(*shown) if shown else None


def together(spotted: list[Spotted]) -> dict[str, list[Spotted]]:
    """The runs of each video that several models looked at."""
    by_video: dict[str, list[Spotted]] = defaultdict(list)
    for one in spotted:
        if one.result is not None:
            by_video[one.planned.title].append(one)
    return {title: runs for title, runs in by_video.items() if len(runs) > 1}


def _counts(title: str, agreed: list[Agreement]) -> Html | None:
    groups: dict[tuple[str, ...], list[Agreement]] = defaultdict(list)
    for one in agreed:
        groups[one.found_by].append(one)
    return table(
        f"{title}: what models agree on",
        (
            Column("Found by", number=False, wide=True),
            Column("Events"),
            Column("Mean confidence"),
        ),
        (
            (
                " and ".join(names) + (" alone" if len(names) == 1 else ""),
                f"{len(events):,}",
                f"{sum(one.event.confidence for one in events) / len(events):.2f}",
            )
            for names, events in sorted(groups.items(), key=lambda group: -len(group[0]))
        ),
    )


def _voted(title: str, runs: list[Spotted], agreed: list[Agreement]) -> Html | None:
    """The vote beside each of its voters."""
    truth = runs[0].truth
    if truth is None:
        return None
    together = measured(truth, accepted(agreed), runs[0].task)
    rows = [(one.planned.model_title, *_right(one.measures)) for one in runs]
    return table(
        f"{title}: the vote beside its voters",
        (MODEL, F1, TIGHT, LOOSE),
        [*rows, ("All of them, by vote", *_right(together))],
    )


def sentence(one: Spotted) -> str:
    """What there is to say of one model over one video."""
    who = f"{one.planned.model_title} on {one.planned.title}"
    if one.result is None:
        return f"{who}: no result ({one.run.outcome.reason or one.run.outcome.state})."
    text = (
        f"{who}: {formats.count(one.result.events, 'event')} in "
        f"{formats.count(one.result.windows, 'window')}"
    )
    if one.measures is None:
        return f"{text}; what really happens there is not known, so that nothing was scored."
    scores, tight = one.measures.scores, one.measures.tight.present
    ceiling = one.ceiling.tight.present if one.ceiling else None
    return (
        f"{text}; {scores.micro.true_positives:,} of {scores.micro.true:,} that happen were found "
        f"within {scores.tolerance_s:g} s (F1 {share(scores.macro_f1)}), tight average-mAP "
        f"{share(tight)} of at most {share(ceiling)} with these windows."
    )
