"""The LLaVA-NeXT adapter on a tiny random checkpoint of the true architecture."""

from pathlib import Path

import numpy as np
import pytest
from helpers.projects import tiny_model

from kairos_lib.errors import KairosError
from kairos_lib.settings import Model
from kairos_lib.vlm.adapter import Request, find_family


def loaded(weights: Path, **changes: object):
    settings = Model.model_validate({**tiny_model(weights, **changes), "name": "m"})
    adapter = find_family(settings.family)(settings, weights)
    adapter.load()
    return adapter


def requests() -> list[Request]:
    """Scenes whose prompts and pictures are of different sizes."""
    random = np.random.default_rng(0)
    shapes = [(27, 48, 3), (48, 27, 3), (40, 40, 3), (27, 48, 3)]
    prompts = ["Describe.", "Describe the scene in detail.", "What?", "Speech: hello\nDescribe."]
    return [
        Request(n, tuple(random.integers(0, 255, (2, *shape), dtype=np.uint8)), (0.0, 0.5), prompt)
        for n, (shape, prompt) in enumerate(zip(shapes, prompts, strict=True))
    ]


@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_captions_do_not_depend_on_the_batch(llava_weights: Path, quantisation: str) -> None:
    adapter = loaded(llava_weights, quantisation=quantisation)
    together = adapter.generate(adapter.prepare(requests()))
    alone = [adapter.generate(adapter.prepare([request])) for request in requests()]
    assert [g.texts[0] for g in alone] == list(together.texts)
    assert [g.new_tokens[0] for g in alone] == list(together.new_tokens)
    assert len(set(together.texts)) > 1


def test_tokens_are_counted_without_padding(llava_weights: Path) -> None:
    adapter = loaded(llava_weights)
    together = adapter.prepare(requests())
    alone = [adapter.prepare([request]) for request in requests()]
    assert list(together.prompt_tokens) == [p.prompt_tokens[0] for p in alone]
    assert list(together.visual_tokens) == [p.visual_tokens[0] for p in alone]
    assert all(v < p for v, p in zip(together.visual_tokens, together.prompt_tokens, strict=True))


def test_a_caption_that_the_limit_cuts_off_is_marked(llava_weights: Path) -> None:
    adapter = loaded(llava_weights, generation={"max_new_tokens": 5})
    generated = adapter.generate(adapter.prepare(requests()[:1]))
    assert generated.new_tokens == (5,)
    assert generated.truncated == (True,)


def test_a_caption_ends_at_its_end_token(llava_weights: Path) -> None:
    adapter = loaded(llava_weights, generation={"max_new_tokens": 5})
    first = adapter._model.generate(
        **adapter.prepare(requests()[:1]).inputs, max_new_tokens=3, do_sample=False
    )[0, -3:].tolist()
    adapter._model.generation_config.eos_token_id = first[1]
    generated = adapter.generate(adapter.prepare(requests()[:1]))
    assert generated.new_tokens == (first.index(first[1]) + 1,)
    assert generated.truncated == (False,)


def test_prefill_and_decoding_are_told_apart(llava_weights: Path) -> None:
    adapter = loaded(llava_weights, generation={"max_new_tokens": 64})
    prepared = adapter.prepare(requests()[:1])
    adapter.generate(prepared)
    long, short = adapter.generate(prepared), adapter.generate(prepared, max_new_tokens=1)
    assert long.decode_s > 4 * short.decode_s
    assert long.prefill_s > 0


def test_weights_that_are_none_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(KairosError, match="cannot load m from") as error:
        loaded(tmp_path)
    assert "\n" not in str(error.value)


def test_an_unknown_family_is_answered_with_the_nearest() -> None:
    with pytest.raises(KairosError, match="did you mean 'llava_next'"):
        find_family("llava-next")
