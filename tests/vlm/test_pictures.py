"""Frames as pictures, on a tiny checkpoint of every kind of processor that transformers has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.frames import PROMPTS, SIZES, two_scenes
from helpers.picture_checkpoints import PICTURES
from helpers.projects import tiny_model

from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.forecast import forecast

TOKENS = 8
VISUAL = {
    "gemma3": [8, 8],
    "idefics3": [10, 10],
    "internvl": [6, 6],
    "llava": [8, 8],
    "llava_next": [28, 32],
    "llava_video": [28, 32],
    "mistral3": [8, 8],
    "mllama": [2, 2],
    "qwen2_5_vl": [12, 12],
    "qwen2_vl": [12, 12],
    "smolvlm": [2, 2],
    "video_llava": [8, 8],
}
"""Tokens that stand for two frames of each size: by hand, from sizes, patches and tiles."""
BEGIN = {"gemma3", "idefics3", "llava", "mistral3", "mllama", "video_llava"}
"""Models whose prompts begin with a BOS, by their tokenizer, by their template or by both."""


def settings(weights: Path, **changes: object) -> Model:
    generation = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS}
    values = tiny_model(weights, family="auto", generation=generation, **changes)
    return Model.model_validate({**values, "name": "m"})


def loaded(weights: Path, **changes: object) -> Any:
    adapter = find_family("auto")(settings(weights, **changes), weights)
    adapter.load()
    return adapter


@pytest.fixture(params=PICTURES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_way_to_hand_frames_over_is_tried() -> None:
    assert set(PICTURES) == set(VISUAL)


def test_a_batch_of_scenes_is_as_each_alone_and_its_frames_are_seen(
    name: str, checkpoint: Callable[[str], Path]
) -> None:
    adapter = loaded(checkpoint(name))
    together = adapter.prepare(two_scenes())
    assert list(together.visual_tokens) == VISUAL[name]
    captions = adapter.generate(together)
    assert captions.new_tokens == (TOKENS, TOKENS)
    for place, request in enumerate(two_scenes()):
        alone = adapter.prepare([request])
        assert alone.prompt_tokens == together.prompt_tokens[place : place + 1]
        assert adapter.generate(alone).texts == captions.texts[place : place + 1]
    others = adapter.prepare(two_scenes(seed=1))
    assert others.inputs["input_ids"].tolist() == together.inputs["input_ids"].tolist()
    scores = [adapter.model(**one.inputs).logits[:, -1] for one in (together, others)]
    assert (scores[0] - scores[1]).abs().max(dim=1).values.min() > 0.01


def test_a_prompt_begins_with_one_bos_or_with_none(
    name: str, checkpoint: Callable[[str], Path]
) -> None:
    adapter = loaded(checkpoint(name))
    rows = adapter.prepare(two_scenes()).inputs["input_ids"].tolist()
    tokenizer = adapter.processor.tokenizer
    for row in rows:
        words = [token for token in row if token != tokenizer.pad_token_id]
        assert words.count(tokenizer.bos_token_id) == (name in BEGIN)
        assert (words[0] == tokenizer.bos_token_id) == (name in BEGIN)


def test_a_plan_forecasts_the_tokens_that_a_run_finds(
    name: str, checkpoint: Callable[[str], Path]
) -> None:
    model = settings(checkpoint(name), frames={"longest_px": 84})
    found = forecast(model, checkpoint(name), SIZES[0], PROMPTS[0])
    run = loaded(checkpoint(name)).prepare(two_scenes()[:1])
    assert found.visual_tokens == run.visual_tokens[0]
    assert found.prompt_tokens == run.prompt_tokens[0]


def without_weights(folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    return copy


def changed(folder: Path, **values: object) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("kind", ["llava", "mllama"])
def test_a_template_can_be_in_the_tokenizers_settings_alone(
    checkpoint: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint(kind), folder)
    template = folder / "chat_template.jinja"
    changed(folder, chat_template=template.read_text())
    template.unlink()
    # As it was before processors had settings of their own.
    path = folder / "processor_config.json"
    assert "chat_template" not in json.loads(path.read_text())
    own, old = (loaded(one).prepare(two_scenes()) for one in (checkpoint(kind), folder))
    assert own.inputs["input_ids"].tolist() == old.inputs["input_ids"].tolist()


def test_a_checkpoint_without_a_template_is_one_line_before_its_weights_are_loaded(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(KairosError, match="m has no chat template") as caught:
        loaded(without_weights(checkpoint("paligemma"), tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template", ["{{ nothing.at.all }}", "{% if %}", "{{ raise_exception('no') }}"]
)
def test_a_template_that_fails_is_one_line_before_the_weights_are_loaded(
    checkpoint: Callable[[str], Path], tmp_path: Path, template: str
) -> None:
    folder = without_weights(checkpoint("llava"), tmp_path)
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(KairosError, match="m has no chat template that accepts") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_can_neither_pad_nor_end_is_one_line_before_the_weights_are_loaded(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = without_weights(checkpoint("llava"), tmp_path)
    changed(folder, pad_token=None, eos_token=None)
    with pytest.raises(KairosError, match="neither a pad_token nor an eos_token") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_ends_and_does_not_pad_pads_with_its_end(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("llava"), folder)
    changed(folder, pad_token=None)
    whole, without = loaded(checkpoint("llava")), loaded(folder)
    captions = [one.generate(one.prepare(two_scenes())).texts for one in (whole, without)]
    assert captions[0] == captions[1]
