"""Every family on a tiny random checkpoint of its architecture, loaded as the real ones are."""

import functools
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoints import CHECKPOINTS, requests
from helpers.projects import tiny_model
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import Adapter, Request, SceneError, families, find_family
from kairos_lib.vlm.transformers_adapter import TransformersAdapter


@pytest.fixture(params=sorted(CHECKPOINTS))
def family(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> tuple[str, Path]:
    return request.param.split()[0], checkpoint(CHECKPOINTS[request.param])


def loaded(family: tuple[str, Path], **changes: object):
    name, weights = family
    values = tiny_model(weights, family=name, **changes)
    adapter = find_family(name)(Model.model_validate({**values, "name": "m"}), weights)
    adapter.load()
    return adapter


@pytest.fixture(scope="module")
def adapters(checkpoint: Callable[[str], Path]) -> Callable[[str], Adapter]:
    """Loaded ones by the names of `CHECKPOINTS`, each once."""

    @functools.cache
    def made(name: str) -> Adapter:
        return loaded((name.split()[0], checkpoint(CHECKPOINTS[name])))

    return made


CONNECTORS = {
    "auto": "LlavaNextMultiModalProjector of 2 linear layers",
    "instructblip": "InstructBlipQFormerModel of 2 layers + Linear",
    "llava_next": "LlavaNextMultiModalProjector of 2 linear layers",
    "llava_video": "LlavaNextVideoMultiModalProjector of 2 linear layers",
    "phi35": "Linear + GELU + Linear",
    "qwen2_vl": "PatchMerger of 2 linear layers",
    "smolvlm2": "SmolVLMConnector of 1 linear layer",
}
LOADED_HERE = sorted(set(families()) - {"openai"})
"""Models of a server are tried in `test_server.py`."""


def test_all_families_are_tried_here() -> None:
    tried = {name.split()[0] for name in CHECKPOINTS}
    assert tried == set(LOADED_HERE)


def test_how_it_is_built_is_read_from_the_model(family: tuple[str, Path]) -> None:
    adapter = loaded(family)
    built = adapter.architecture()
    own = family[0] == "phi35"
    any_size = family[0] == "qwen2_vl"
    assert (built.image_px, built.patch_px) == (None if any_size else 336 if own else 28, 14)
    # Phi-3.5-Vision never uses the last layer of its vision encoder.
    assert (built.vision.layers, built.vision.hidden_size) == (1 if own else 2, 64)
    assert (built.language.layers, built.language.hidden_size) == (2, 64)
    assert built.context_tokens == (65536 if own else 2048)
    assert built.queries == (4 if family[0] == "instructblip" else None)
    assert (built.attention, built.dtype, built.quantisation) == ("sdpa", "float32", "none")
    assert built.connector.kind.endswith(CONNECTORS[family[0]])
    parts = (built.vision, built.connector, built.language)
    assert min(part.parameters_millions for part in parts) > 0
    together = sum(part.parameters_millions for part in parts)
    assert together == pytest.approx(adapter.parameters_millions())


@pytest.mark.parametrize("family", ["llava_next"], indirect=True)
def test_weights_in_four_bits_are_counted_in_full(family: tuple[str, Path]) -> None:
    whole, adapter = loaded(family).architecture(), loaded(family, quantisation="nf4")
    # As at the end of a run: the first caption lays the weights out anew for some processors.
    adapter.generate(adapter.prepare(requests(1)))
    packed = adapter.architecture()
    assert packed.quantisation == "nf4"
    for part in ("vision", "connector", "language"):
        assert getattr(packed, part) == getattr(whole, part)


@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_captions_do_not_depend_on_the_batch(family: tuple[str, Path], quantisation: str) -> None:
    adapter = loaded(family, quantisation=quantisation)
    together = adapter.generate(adapter.prepare(requests()))
    alone = [adapter.generate(adapter.prepare([request])) for request in requests()]
    assert [g.texts[0] for g in alone] == list(together.texts)
    assert [g.new_tokens[0] for g in alone] == list(together.new_tokens)
    assert len(set(together.texts)) > 1


def test_the_model_sees_the_frames(family: tuple[str, Path]) -> None:
    adapter = loaded(family)
    one = requests(1)[0]
    other = Request(0, tuple(255 - image for image in one.images), one.frame_times_s, one.prompt)
    prepared = adapter.prepare([one, other])
    assert prepared.visual_tokens[0] == prepared.visual_tokens[1] > 0
    assert len(set(adapter.generate(prepared).texts)) == 2


def test_tokens_are_counted_without_padding(family: tuple[str, Path]) -> None:
    adapter = loaded(family)
    together = adapter.prepare(requests())
    alone = [adapter.prepare([request]) for request in requests()]
    assert list(together.prompt_tokens) == [p.prompt_tokens[0] for p in alone]
    assert list(together.visual_tokens) == [p.visual_tokens[0] for p in alone]
    assert all(v < p for v, p in zip(together.visual_tokens, together.prompt_tokens, strict=True))


def test_a_caption_that_the_limit_cuts_off_is_marked(family: tuple[str, Path]) -> None:
    adapter = loaded(family, generation={"max_new_tokens": 5})
    adapter.model.generation_config.eos_token_id = [2]
    generated = adapter.generate(adapter.prepare(requests(1)))
    assert generated.new_tokens == (5,)
    assert generated.truncated == (True,)


def test_beams_and_a_least_length_are_kept_to(family: tuple[str, Path]) -> None:
    adapter = loaded(family, generation={"max_new_tokens": 8, "num_beams": 3, "min_new_tokens": 6})
    prepared = adapter.prepare(requests(2))
    # Whatever comes first would end the caption, were there no least length.
    adapter.model.generation_config.eos_token_id = list(range(2, 64))
    generated = adapter.generate(prepared)
    assert all(count >= 6 for count in generated.new_tokens)


def test_an_unknown_setting_of_the_processor_is_one_line(family: tuple[str, Path]) -> None:
    with pytest.raises(KairosError, match=r"unknown key 'processor\.crops'"):
        loaded(family, processor={"crops": 3})


def test_a_caption_ends_at_its_end_token(family: tuple[str, Path]) -> None:
    adapter = loaded(family, generation={"max_new_tokens": 5})
    prepared = adapter.prepare(requests(1))
    first = adapter.model.generate(**prepared.inputs, max_new_tokens=3, do_sample=False)[0, -3:]
    end = first.tolist()[1]
    adapter.model.generation_config.eos_token_id = end
    generated = adapter.generate(prepared)
    assert generated.new_tokens == (first.tolist().index(end) + 1,)
    assert generated.truncated == (False,)


def test_prefill_and_decoding_are_told_apart(llava_weights: Path) -> None:
    adapter = loaded(("llava_next", llava_weights), generation={"max_new_tokens": 64})
    prepared = adapter.prepare(requests(1))
    adapter.generate(prepared)
    long, short = adapter.generate(prepared), adapter.generate(prepared, max_new_tokens=1)
    assert long.decode_s > 4 * short.decode_s
    assert long.prefill_s > 0


def spoil_scores(adapter: TransformersAdapter, row: int, step: int, value: float, rows: int) -> Any:
    """Have one row's scores be no numbers from one step on."""
    steps = itertools.count()

    def spoiled(_: object, __: object, scores: Any) -> Any:
        if next(steps) >= step:
            beams = len(scores) // rows
            scores = scores.clone()
            scores[row * beams : (row + 1) * beams, ..., 5:] = value
        return scores

    return adapter.model.get_output_embeddings().register_forward_hook(spoiled)


@pytest.mark.parametrize(("quantisation", "num_beams"), [("none", 1), ("nf4", 1), ("none", 3)])
def test_a_row_whose_scores_are_no_numbers_fails_alone(
    family: tuple[str, Path], quantisation: str, num_beams: int
) -> None:
    generation = {"max_new_tokens": 4, "num_beams": num_beams}
    adapter = loaded(family, quantisation=quantisation, generation=generation)
    prepared = adapter.prepare(requests(2))
    right = adapter.generate(prepared)
    assert not any(right.errors)
    for row, step, value in ((1, 0, np.nan), (0, 2, np.inf)):
        hook = spoil_scores(adapter, row, step, value, rows=2)
        generated = adapter.generate(prepared)
        hook.remove()
        assert "NaN or infinity" in generated.errors[row]
        assert (generated.texts[row], generated.new_tokens[row]) == ("", 0)
        other = 1 - row
        assert generated.errors[other] == ""
        assert generated.texts[other] == right.texts[other]
        assert generated.new_tokens[other] == right.new_tokens[other]


def test_what_comes_after_a_captions_end_does_not_spoil_it(llava_weights: Path) -> None:
    adapter = loaded(("llava_next", llava_weights))
    prepared = adapter.prepare(requests(2))
    written = adapter.model.generate(**prepared.inputs, max_new_tokens=8, do_sample=False)
    one, other = written[:, -8:].tolist()
    end = next(token for token in one if token not in other)
    adapter.model.generation_config.eos_token_id = end
    length = one.index(end) + 1
    spoil_scores(adapter, row=0, step=length, value=np.nan, rows=2)
    generated = adapter.generate(prepared)
    assert length < 8
    assert generated.errors == ("", "")
    assert generated.new_tokens == (length, 8)


def test_a_row_without_numbers_is_not_written_to_the_end(llava_weights: Path) -> None:
    adapter = loaded(("llava_next", llava_weights), generation={"max_new_tokens": 200})
    steps = []
    adapter.model.get_output_embeddings().register_forward_hook(lambda *_: steps.append(1))
    spoil_scores(adapter, row=0, step=3, value=np.nan, rows=1)
    adapter.generate(adapter.prepare(requests(1)))
    assert len(steps) == 4


@pytest.mark.parametrize("name", LOADED_HERE)
def test_weights_that_are_none_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(KairosError) as error:
        loaded((name, tmp_path))
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_family_is_answered_with_the_nearest() -> None:
    with pytest.raises(KairosError, match="did you mean 'llava_next'"):
        find_family("llava-next")


def shortened(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def without_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors[next(name for name in tensors if "mlp" in name or "fc1" in name)]
    save_file(tensors, path, metadata={"format": "pt"})


def with_another_shape(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "mlp" in name or "fc1" in name)
    tensors[name] = tensors[name][:-1].contiguous()
    save_file(tensors, path, metadata={"format": "pt"})


def with_a_weight_too_many(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "mlp" in name or "fc1" in name)
    save_file(tensors | {f"{name}_scale": tensors[name].clone()}, path, metadata={"format": "pt"})


# One that transformers loads, and our own model.
@pytest.mark.parametrize("family", ["llava_next", "phi35"], indirect=True)
@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (shortened, "cannot load m from"),
        (without_a_weight, "the weights do not go with the model"),
        (with_another_shape, "the weights do not go with the model"),
        (with_a_weight_too_many, r"the weights do not go with the model \(unexpected"),
    ],
)
def test_weights_that_are_not_whole_are_one_line(
    family: tuple[str, Path], tmp_path: Path, spoil: Callable[[Path], None], line: str
) -> None:
    name, whole = family
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    spoil(folder)
    with pytest.raises(KairosError, match=line) as caught:
        loaded((name, folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", ["llava_next", "phi35"], indirect=True)
def test_there_is_room_for_fewer_captions_where_they_are_longer(family: tuple[str, Path]) -> None:
    rooms = []
    for tokens in (8, 500_000_000):
        adapter = loaded(family, generation={"max_new_tokens": tokens})
        rooms.append(adapter.room(adapter.counted(requests(1))))
    assert rooms == [64, 1]


@pytest.mark.parametrize("name", sorted(CHECKPOINTS))
@settings(derandomize=True, deadline=None, max_examples=6)
@given(long_px=st.sampled_from([199, 201, 256, 400]) | st.integers(1, 400), upright=st.booleans())
@example(long_px=256, upright=False)
@example(long_px=256, upright=True)
def test_a_picture_that_is_a_line_is_captioned_or_refused_alone(
    adapters: Callable[[str], Adapter], name: str, long_px: int, upright: bool
) -> None:
    adapter = adapters(name)
    size = (long_px, 1, 3) if upright else (1, long_px, 3)
    line = Request(0, (np.zeros(size, np.uint8),) * 2, (0.0, 0.5), "Describe.")
    try:
        generated = adapter.generate(adapter.prepare([line]), 1)
    except SceneError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert len(generated.texts) == 1
    assert len(adapter.generate(adapter.prepare(requests(1)), 1).texts) == 1


def test_lines_of_256_to_1_are_refused_by_qwen_and_by_phi(
    adapters: Callable[[str], Adapter],
) -> None:
    line = Request(0, (np.zeros((1, 1500, 3), np.uint8),) * 2, (0.0, 0.5), "Describe.")
    for name, reason in (("qwen2_vl", "aspect ratio"), ("phi35", "too long and thin")):
        with pytest.raises(SceneError, match=reason):
            adapters(name).prepare([line, *requests(1)])


def test_a_mistake_in_a_program_is_not_the_scenes_error(
    adapters: Callable[[str], Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = adapters("llava_next")

    def mistaken(_: list[Request]) -> None:
        raise AttributeError("of ours")

    monkeypatch.setattr(adapter, "worded", mistaken)
    with pytest.raises(AttributeError, match="of ours"):
        adapter.prepare(requests(1))
