"""How good the captions are: tables against references, and measures without references."""

from __future__ import annotations

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.quality.judgement import Judged
from kairos_lib.quality.sample import Sample, ends
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import MODEL, NOTES, VIDEO, Cell, Column, table
from kairos_lib.results.caption_quality import PairQuality, Quality, quality_of
from kairos_lib.results.suite import SuiteData
from kairos_lib.statistics.bootstrap import LEVEL

_INTERVALS = (
    f"In brackets: the {LEVEL:.0%} interval over the video's scenes (bootstrap), rough below ten."
)


def reference_quality(suite: SuiteData) -> Html | None:
    """Captions compared with references by people, or with a synthetic clip's truth.

    Returns:
        None if the suite has no captions at all; one line if no video has references.
    """
    quality = quality_of(suite)
    held = [one for one in quality.pairs if one.has_references]
    if not held:
        return (
            _remark(
                "No video of this suite has reference captions, so nothing here says how true a "
                "caption is."
            )
            if any(one.judged.captions for one in quality.pairs)
            else None
        )
    columns = (
        MODEL,
        VIDEO,
        Column("Scenes", explanation="Scenes whose caption was compared with a reference"),
        Column(
            "Attributes right",
            explanation="Nano world only: share of the facts of the scenes (how many shapes, "
            "their kind, colour, size and motion, the field) that captions state, in that world's "
            "own form of sentence; facts stated in other words do not count",
        ),
        Column("ROUGE-L", explanation="Words in common and in order, F1, mean of scenes; 0 to 100"),
        Column("chrF", explanation="Runs of characters in common, all scenes at once; 0 to 100"),
        Column("BLEU", explanation="Runs of words in common, all scenes at once; 0 to 100"),
        NOTES,
    )

    def row(one: PairQuality) -> tuple[Cell, ...]:
        judged = one.judged
        corpus = judged.corpus
        return (
            one.pair.model_title,
            one.pair.title,
            one.void or f"{judged.rouge_l.n:,}",
            _unless(one, share(judged.attributes)),
            _unless(one, _mean(judged.rouge_l, formats.of_hundred)),
            MISSING if corpus is None else f"{corpus.chrf:.1f}",
            MISSING if corpus is None else f"{corpus.bleu:.1f}",
            pills(one.pair.badges),
        )

    return joined(
        table("Against references", columns, map(row, held)),
        _by_attribute(quality),
        _remark(_method(held)),
    )


def _by_attribute(quality: Quality) -> Html | None:
    """Which attributes of the nano world's scenes captions state correctly."""
    from kairos_lib.nano.captions import ATTRIBUTES

    columns = (
        MODEL,
        VIDEO,
        *(Column(name.capitalize(), explanation=f"Share of scenes whose {name} captions have right")
          for name in ATTRIBUTES),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            one.pair.model_title,
            one.pair.title,
            *(
                render(
                    "measure",
                    value=percent(scores.share(name)),
                    note=f"of {scores.total[name]:,}",
                )
                for name in ATTRIBUTES
            ),
        )
        for one in quality.pairs
        if (scores := one.judged.by_attribute) is not None
    ]
    return table("Attributes right, by attribute", columns, rows)


def _method(held: list[PairQuality]) -> str:
    """How the numbers were computed, and what was left out."""
    from importlib.metadata import version

    parts = []
    corpora = [one.judged.corpus for one in held if one.judged.corpus is not None]
    for name, signatures in (
        ("BLEU", {corpus.bleu_signature for corpus in corpora}),
        ("chrF", {corpus.chrf_signature for corpus in corpora}),
    ):
        if signatures:
            parts.append(f"{name} by sacrebleu: {' / '.join(sorted(signatures))}.")
    if corpora:
        parts.append(
            f"ROUGE-L by rouge-score {version('rouge-score')}: F1, no stemming, the best of a "
            "scene's references."
        )
    left_out = sum(one.judged.without_reference for one in held)
    if left_out:
        parts.append(
            f"{formats.count(left_out, 'caption')} left out: less than half of the scene is in "
            "any span that has references."
        )
    parts.append(
        "A caption that is true but worded differently from the reference scores low in all of "
        "these. " + _INTERVALS
    )
    return " ".join(parts)


def own_quality(suite: SuiteData) -> Html | None:
    """What captions show by themselves: objects named, agreement, and wording.

    Returns:
        None if the suite has no captions.
    """
    quality = quality_of(suite)
    written = [one for one in quality.pairs if one.void or one.judged.captions]
    if all(one.void == "not measured" for one in written):
        return None
    return joined(
        table("Captions, the detector and one another", _SEEN, map(_seen_row, written)),
        table("How captions are worded", _WORDED, map(_worded_row, written)),
        _remark(
            "None of this says that a caption is true: the detector can be wrong, models can err "
            "alike, and models that got the detector's findings may only repeat them. These "
            "numbers "
            f"show what to look at. {_INTERVALS}"
        ),
    )


_SEEN = (
    MODEL,
    VIDEO,
    Column("Captions", explanation="Scenes with a caption, empty ones included"),
    Column(
        "Detected objects named",
        explanation="Share of the kinds of object detected in a scene that its caption names",
    ),
    Column(
        "Named, not detected",
        explanation="Share of the kinds of object that captions name, of those the detector knows, "
        "that it did not find in the scene",
    ),
    Column(
        "Agreement",
        explanation="Likeness to the other models' captions of the same scene: words in common "
        "and in order (ROUGE-L's F1), 0 to 100, mean; variants of one model are not compared",
    ),
    NOTES,
)


def _seen_row(one: PairQuality) -> tuple[Cell, ...]:
    judged = one.judged
    return (
        one.pair.model_title,
        one.pair.title,
        one.void or f"{judged.captions:,}",
        _unless(one, share(judged.named)),
        _unless(one, share(judged.unseen)),
        _unless(one, _mean(judged.agreement, formats.of_hundred)),
        pills(one.pair.badges),
    )


_WORDED = (
    MODEL,
    VIDEO,
    Column("Words", explanation="Mean per caption"),
    Column(
        "Repeated",
        explanation="Share of runs of four words that came before in the same caption, mean",
    ),
    Column(
        "Distinct-2",
        explanation="Distinct word pairs by all word pairs; falls as texts get longer, so "
        "compare it only within a video",
    ),
    Column("Said twice", explanation="Captions that are word for word the same as another scene's"),
    Column(
        "Language",
        explanation="Language of most captions (ISO 639-1) and their share, of those long "
        "enough to detect it",
    ),
    Column("Refusals", explanation="Captions that decline to describe, by phrases in English"),
    Column("Cut off", explanation="Captions that ended at the limit on new tokens"),
    Column("Empty", explanation="Captions without a word"),
)


def _worded_row(one: PairQuality) -> tuple[Cell, ...]:
    judged = one.judged
    words = judged.words.value
    cells: tuple[Cell, ...] = (
        _mean(judged.repeated, percent),
        MISSING if judged.distinct_2 is None else f"{judged.distinct_2:.2f}",
        share(judged.same),
        _language(judged),
        _count(judged.refusals),
        _count(judged.cut_off),
        _count(judged.empty),
    )
    return (
        one.pair.model_title,
        one.pair.title,
        one.void or (MISSING if words is None else f"{words:.1f}"),
        *(_unless(one, cell) for cell in cells),
    )


def percent(value: float) -> str:
    """A share: `87.5%`."""
    return f"{value:.1%}"


def share(sample: Sample) -> Cell:
    """A share of things counted, with its interval and the counts beneath it."""
    return _measure(sample, percent, f"{sample.part:,.0f} of {sample.whole:,.0f}")


def _mean(sample: Sample, written: formats.Writer) -> Cell:
    """A mean over scenes, with its interval and the number of scenes beneath it."""
    return _measure(sample, written, formats.count(sample.n, "scene"))


def _measure(sample: Sample, written: formats.Writer, extent: str) -> Cell:
    if sample.value is None:
        return MISSING
    if found := ends(sample):
        extent = f"[{written(found.low)} – {written(found.high)}], {extent}"
    return render("measure", value=written(sample.value), note=extent)


def _count(sample: Sample) -> str:
    return MISSING if sample.value is None else f"{sample.part:,.0f}"


def _language(judged: Judged) -> Cell:
    value = judged.in_language.value
    if value is None:
        return MISSING
    note = f"{percent(value)} of {judged.in_language.n:,}"
    return render("measure", value=judged.language, note=note)


def _unless(one: PairQuality, cell: Cell) -> Cell:
    """A number, unless it would mean nothing; the row gives the reason once."""
    return MISSING if one.void else cell


def _remark(text: str) -> Html:
    return render("remark", text=text)
