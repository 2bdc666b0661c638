"""What changing a model changed: its variants, such as other precisions, next to the first."""

from __future__ import annotations

import statistics
from difflib import SequenceMatcher

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections.tables import MODEL, VIDEO, Cell, Column, measured, table
from kairos_lib.results.ratios import peak
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption


def variants(suite: SuiteData) -> Html | None:
    """Speed, memory and captions of each variant; None if the suite has no variants."""
    known = pairs(suite)
    by_name = {(pair.model, pair.video): pair for pair in known}
    columns = (
        MODEL,
        VIDEO,
        Column("VLM time", explanation="Wall time of the offline scenario"),
        Column("Speed", explanation="VLM time of the first variant by that of this one"),
        Column(
            "Peak memory",
            explanation="VRAM on a GPU, RAM of the kernel without one; median of repeats",
        ),
        Column("Captions changed", explanation="Share of scenes whose wording differs in any way"),
        Column("Words kept", explanation="Share of words in common and in order, mean of scenes"),
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        first = by_name.get((pair.runs[0].planned.variant_of, pair.video))
        changed = kept = faster = MISSING
        if first is not None and first.results and pair.results:
            first_captions = _captions(first)
            shares = [
                similarity(first_captions[scene], text)
                for scene, text in _captions(pair).items()
                if scene in first_captions
            ]
            if shares:
                changed = f"{sum(share < 1 for share in shares) / len(shares):.0%}"
                kept = f"{statistics.fmean(shares):.1%}"
            before, now = first.vlm_time_s, pair.vlm_time_s
            if before and now and not (first.fitness.why or pair.fitness.why):
                faster = f"{before.value / now.value:.2f}×"
        return (
            pair.model_title, pair.title, measured(pair.vlm_time_s, formats.work), faster,
            _memory(pair), changed, kept,
        )  # fmt: skip

    shown = [pair for pair in known if pair.runs[0].planned.variant_of]
    return table(
        "Variants, compared with the first of them", columns, (row(pair) for pair in shown)
    )


def similarity(one: str, other: str) -> float:
    """Share of the words of both texts that they have in common and in order, from 0 to 1.

    Twice the words matched by the words of both (Ratcliff and Obershelp, "Pattern Matching: The
    Gestalt Approach", 1988).
    """
    if one == other:
        return 1.0
    share = SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio()
    # Different whitespace makes another text with the same words.
    return min(share, 0.999)


def _captions(pair: Pair) -> dict[int, str]:
    captions = Journal(pair.shown.folder / "captions.jsonl", Caption)
    return {caption.scene: caption.text for caption in captions if not caption.error}


def _memory(pair: Pair) -> str:
    held = [found for result in pair.results if (found := peak(result))]
    kinds = {kind for kind, _ in held}
    return formats.memory(statistics.median(mib for _, mib in held)) if len(kinds) == 1 else MISSING
