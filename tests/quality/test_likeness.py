"""How alike captions are to references and to one another."""

from __future__ import annotations

import random

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from kairos_lib.quality.likeness import PART, agreement, corpus, rouge_l
from kairos_lib.quality.wording import words


def test_bleu_and_chrf_are_those_of_sacrebleus_own_example() -> None:
    # https://github.com/mjpost/sacrebleu, "Using SacreBLEU from Python".
    said = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    references = [
        ("The dog bit the man.", "The dog had bit the man."),
        ("It was not unexpected.", "No one was surprised."),
        ("The man bit him first.", "The man had bitten the dog."),
    ]
    found = corpus(said, references)
    assert found.bleu == pytest.approx(48.53, abs=0.005)
    assert found.chrf == pytest.approx(59.73, abs=0.005)
    assert found.bleu_signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found.chrf_signature.startswith("nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")


def test_scenes_may_have_more_or_fewer_references() -> None:
    said = ["A cat sits here now.", "Dogs bark at the old gate."]
    found = corpus(said, [said[:1], ["None.", said[1]]])
    assert found.bleu == pytest.approx(100)
    assert found.bleu_signature.startswith("nrefs:var|")


def test_many_captions_get_the_score_that_sacrebleu_gives_them_all_at_once() -> None:
    rng = random.Random(1)

    def text() -> str:
        return " ".join(rng.choice(["a", "red", "ball", "rolls", "over", "the", "grass."])
                        for _ in range(rng.randint(1, 12)))  # fmt: skip

    said = [text() for _ in range(2 * PART + 1)]
    references = [[text() for _ in range(1 + (at < PART))] for at in range(len(said))]
    streams = [
        [each[0] for each in references],
        [each[1] if len(each) > 1 else None for each in references],
    ]
    found = corpus(said, references)
    for metric, score, signature in (
        (BLEU(), found.bleu, found.bleu_signature),
        (CHRF(), found.chrf, found.chrf_signature),
    ):
        assert score == pytest.approx(metric.corpus_score(said, streams).score)
        assert signature == str(metric.get_signature())


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    one, other = "The quick brown dog jumps on the log.", "the quick brown fox jumps over the dog"
    # the, quick, brown, jumps, the: 5 of 8 words in both.
    assert rouge_l(one, [other]) == pytest.approx(5 / 8)
    assert rouge_l(one, [other, one]) == 1
    assert rouge_l("", [other]) == 0


def test_agreement_is_the_quantity_that_rouge_score_computes() -> None:
    rng = random.Random(1)
    scorer = RougeScorer(["rougeL"])
    for length in (1, 2, 7, 30, 70, 130):
        one, other = (
            " ".join(rng.choice(["a", "red", "ball", "isn't", "on", "grass;", "7"])
                     for _ in range(rng.randint(1, length)))
            for _ in range(2)
        )  # fmt: skip
        expected = scorer.score(one, other)["rougeL"].fmeasure
        assert agreement(words(one), words(other)) == pytest.approx(expected)
    assert agreement([], words("a ball")) == 0
