"""How similar captions are: to references, and to one another. Knows no models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

PART = 100
"""Number of captions whose references' n-grams are in memory at once."""


@dataclass(frozen=True)
class Corpus:
    """BLEU and chrF of many captions together, as sacrebleu computes them."""

    bleu: float
    """0 to 100: Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation,
    ACL 2002."""
    chrf: float
    """0 to 100: Popović, chrF: character n-gram F-score for automatic MT evaluation, WMT 2015."""
    bleu_signature: str
    """How it was computed, in sacrebleu's form (Post, A Call for Clarity in Reporting BLEU
    Scores, WMT 2018)."""
    chrf_signature: str


def corpus(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Corpus:
    """BLEU and chrF over all captions at once, with sacrebleu's defaults.

    Args:
        captions: At least one.
        references: For each caption at least one; their number may differ.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu = BLEU(force=True)  # Otherwise it warns about captions that end in " .".
    chrf = CHRF()
    return Corpus(
        bleu=_over_all(bleu, captions, references),
        chrf=_over_all(chrf, captions, references),
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
    )


def _over_all(metric: Any, captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Result of `metric.corpus_score`, in a hundredth of its memory.

    It holds the n-grams of all references at once, some 50 KB for each of chrF's; the counts that
    the score is made of can be taken part by part.
    """
    counts: list[Any] = []
    for first in range(0, len(captions), PART):
        part = references[first : first + PART]
        # sacrebleu takes the first references of all captions, then the second ones, and so on.
        streams = [
            [_line(each[place]) if place < len(each) else None for each in part]
            for place in range(max(map(len, part)))
        ]
        said = [_line(caption) for caption in captions[first : first + PART]]
        counts += metric._extract_corpus_statistics(said, streams)
    # For the signature, where -1 means that the numbers differ.
    sizes = {len(each) for each in references}
    metric.num_refs = sizes.pop() if len(sizes) == 1 else -1
    return float(metric._aggregate_and_compute(counts).score)


def _line(text: str) -> str:
    return " ".join(text.split())


def rouge_l(caption: str, references: Sequence[str]) -> float:
    """ROUGE-L by rouge-score: F1, without stemming, of the reference that is most alike; 0 to 1.

    Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004. rouge-score knows ASCII
    letters and digits alone: of other scripts it sees nothing and gives 0.
    """
    return float(_scorer().score_multi(references, caption)["rougeL"].fmeasure)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"])


def agreement(one: Sequence[str], other: Sequence[str]) -> float:
    """Similarity of two captions by their words (`wording.words`), from 0 to 1.

    The same quantity as ROUGE-L's F1: twice the words of their longest common subsequence by the
    words of both. All pairs of models are compared on all scenes, so the subsequence is counted
    bit by bit, many times as fast as in rouge-score (Hyyrö, Bit-parallel LCS-length Computation
    Revisited, AWOCA 2004).
    """
    if not one or not other:
        return 0.0
    places: Counter[str] = Counter()
    for place, word in enumerate(one):
        places[word] |= 1 << place
    everywhere = (1 << len(one)) - 1
    open_places = everywhere
    for word in other:
        hits = open_places & places[word]
        open_places = ((open_places + hits) | (open_places - hits)) & everywhere
    common = len(one) - open_places.bit_count()
    return 2 * common / (len(one) + len(other))
