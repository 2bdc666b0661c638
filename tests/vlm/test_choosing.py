"""Tokens are drawn as the softmax says, the same in every batch, and their probabilities noted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.checkpoints import CHECKPOINTS, requests
from helpers.projects import tiny_model

from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import Adapter, Request, find_family
from kairos_lib.vlm.choosing import Chooser, Choosing, top
from kairos_lib.vlm.transformers_adapter import TransformersAdapter

NEW = 12
CHI_SQUARE_OF_4_AT_1_IN_1000 = 18.47
DRAWN = Choosing(temperature=1.3, top_p=0.95, seed=7)
SCORES = torch.log(torch.tensor([0.5, 0.25, 0.15, 0.07, 0.03]))


@pytest.fixture(scope="module")
def adapters(checkpoint: Callable[[str], Path]) -> Callable[[str], TransformersAdapter]:
    @functools.cache
    def made(name: str) -> TransformersAdapter:
        family, weights = name.split()[0], checkpoint(CHECKPOINTS[name])
        values = tiny_model(weights, family=family, generation={"max_new_tokens": NEW})
        adapter = find_family(family)(Model.model_validate({**values, "name": "m"}), weights)
        adapter.load()
        assert isinstance(adapter, TransformersAdapter)
        return adapter

    return made


def answers(adapter: Adapter, asked: list[Request], choosing: Choosing | None, batch: int = 9):
    adapter.choosing = choosing
    try:
        found = [
            adapter.generate(adapter.prepare(asked[first : first + batch]))
            for first in range(0, len(asked), batch)
        ]
    finally:
        adapter.choosing = None
    return [
        (text, tokens, logs)
        for one in found
        for text, tokens, logs in zip(
            one.texts,
            one.tokens or [()] * len(one.texts),
            one.log_probabilities or [()] * len(one.texts),
            strict=True,
        )
    ]


@pytest.mark.parametrize("name", sorted(CHECKPOINTS))
class TestOfEachFamily:
    def test_noting_probabilities_changes_no_text(
        self, adapters: Callable[[str], TransformersAdapter], name: str
    ) -> None:
        adapter = adapters(name)
        plain = answers(adapter, requests(), None)
        noted = answers(adapter, requests(), Choosing())
        assert [text for text, *_ in noted] == [text for text, *_ in plain]
        assert all(not tokens and not logs for _, tokens, logs in plain)

    def test_the_probabilities_are_those_of_all_scores_kept(
        self, adapters: Callable[[str], TransformersAdapter], name: str
    ) -> None:
        adapter = adapters(name)
        noted = answers(adapter, requests(), Choosing())
        prepared = adapter.prepare(requests())
        kept = adapter.model.generate(
            **prepared.inputs, max_new_tokens=NEW, do_sample=False, output_logits=True,
            return_dict_in_generate=True, pad_token_id=adapter.processor.tokenizer.pad_token_id,
        )  # fmt: skip
        steps = [torch.log_softmax(step.float(), dim=-1) for step in kept.logits]
        for row, (_, tokens, logs) in enumerate(noted):
            expected = [steps[step][row, token].item() for step, token in enumerate(tokens)]
            assert logs == pytest.approx(expected, abs=1e-4)
            assert len(logs) == len(tokens) > 0

    def test_what_is_drawn_does_not_depend_on_the_batch(
        self, adapters: Callable[[str], TransformersAdapter], name: str
    ) -> None:
        adapter = adapters(name)
        whole = [text for text, *_ in answers(adapter, requests(), DRAWN)]
        assert len(set(whole)) > 1
        for batch in (3, 1):
            assert [text for text, *_ in answers(adapter, requests(), DRAWN, batch)] == whole
        other = answers(adapter, requests(), Choosing(temperature=1.3, top_p=0.95, seed=8))
        assert [text for text, *_ in other] != whole

    def test_characters_lead_to_their_tokens(
        self, adapters: Callable[[str], TransformersAdapter], name: str
    ) -> None:
        adapter = adapters(name)
        tokenizer = adapter.processor.tokenizer
        written = tokenizer(' {"label": "Goal"}', add_special_tokens=False)["input_ids"]
        tokens = [*written, tokenizer.eos_token_id]
        text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        place = text.index("Goal")
        found = adapter.tokens_of(tokens, (place, place + 4))
        decoded = tokenizer.decode(tokens[found.start : found.stop])
        assert "Goal" in decoded
        assert len(decoded.strip()) <= len("Goal") + 2
        assert adapter.tokens_of(tokens, (0, len(text))).stop <= len(written)


def drawn(choosing: Choosing, count: int) -> list[int]:
    scores = SCORES.repeat(count, 1)
    return Chooser(choosing, range(count))(torch.zeros(count, 1).long(), scores).argmax(-1).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_softmax_says(temperature: float) -> None:
    found = drawn(Choosing(temperature=temperature, seed=3), 20_000)
    expected = (SCORES / temperature).softmax(-1).double()
    expected = expected / expected.sum() * len(found)
    counts = [found.count(token) for token in range(len(SCORES))]
    distance = sum((n - e) ** 2 / e for n, e in zip(counts, expected.tolist(), strict=True))
    assert distance < CHI_SQUARE_OF_4_AT_1_IN_1000


def test_steps_and_queries_and_seeds_have_noise_of_their_own() -> None:
    chooser = Chooser(Choosing(temperature=1.0), range(1000))
    ids, flat = torch.zeros(1000, 1).long(), torch.zeros(1000, 8)
    first, second = (chooser(ids, flat).argmax(-1) for _ in range(2))
    other = Chooser(Choosing(temperature=1.0, seed=1), range(1000))(ids, flat).argmax(-1)
    for one in (second, other):
        assert 60 < (first == one).sum().item() < 200  # One in eight by chance.


def test_only_the_fewest_that_add_up_can_be_drawn() -> None:
    assert set(drawn(Choosing(temperature=1.0, top_p=0.7), 2000)) == {0, 1}
    assert set(drawn(Choosing(temperature=1.0, top_p=0.01), 2000)) == {0}
    kept = top(SCORES[None].flip(-1), 0.76)
    assert kept.isfinite().tolist() == [[False, False, True, True, True]]
