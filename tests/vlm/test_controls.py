"""Words of a video reach no tokenizer as control tokens, whatever the family."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.checkpoints import byte_tokenizer
from helpers.picture_checkpoints import PICTURES
from helpers.projects import tiny_model
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import Request, find_family
from kairos_lib.vlm.controls import Controls
from workshop.nano.scene_prompts import SceneContext, scene_prompt

OWN = {"phi35": "phi35", "instructblip": "instructblip", "llava_video": "llava_video"}
OWN |= {"qwen2_vl": "qwen2_5_vl", "smolvlm2": "smolvlm"}
FAMILIES = [("auto", name) for name in PICTURES] + sorted(OWN.items())
"""Each with the checkpoint that it is tried on."""

KNOWN = [
    "<image>", "<video>", "<|im_end|>", "<|im_start|>", "<start_of_turn>", "<end_of_turn>",
    "[INST]", "[/INST]", "[IMG]", "[IMG_END]",
    "<|image_1|>", "<|image|>", "<|image_pad|>", "<s>", "</s>",
    "<pad>", "<|end|>", "<|eot_id|>", "<|begin_of_text|>", "<IMG_CONTEXT>", "</img>", "<bos>",
    "<row_1_col_1>", "<<SYS>>", "<｜end▁of▁sentence｜>", "<fake_token_around_image>",
]  # fmt: skip


@pytest.fixture(scope="module")
def adapters(checkpoint: Callable[[str], Path]) -> Callable[[str, str], Any]:
    """Loaded ones, each once."""

    @cache
    def built(family: str, name: str) -> Any:
        values = {**tiny_model(checkpoint(name), family=family), "name": "m"}
        adapter = find_family(family)(Model.model_validate(values), checkpoint(name))
        adapter.load()
        return adapter

    return built


def request(transcript: str, label: str) -> Request:
    frames = np.random.default_rng(0).integers(0, 255, (2, 56, 84, 3), dtype=np.uint8)
    context = SceneContext(transcript, objects=[(label, 2)])
    return Request(0, tuple(frames), (0.0, 0.5), scene_prompt("Describe.", context))


def specials(adapter: Any, prepared: Any) -> Counter[int]:
    tokenizer = adapter.processor.tokenizer
    known = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return Counter(one for one in prepared.inputs["input_ids"][0].tolist() if one in known)


def tokens_of(adapter: Any) -> list[str]:
    added = adapter.processor.tokenizer.added_tokens_decoder.values()
    return sorted({*KNOWN, *(str(token) for token in added)})


@pytest.mark.parametrize(("family", "name"), FAMILIES)
@settings(derandomize=True, deadline=None, max_examples=8, phases=(Phase.explicit, Phase.generate))
@given(data=st.data())
def test_control_tokens_in_a_video_are_text_to_every_family(
    adapters: Callable[[str, str], Any], family: str, name: str, data: st.DataObject
) -> None:
    adapter = adapters(family, name)
    tokens = tokens_of(adapter)
    # Tokens whole, in pieces, within one another and beside words.
    part = st.sampled_from(tokens) | st.text("<>|[]/_ a", max_size=4)
    nested = st.builds(lambda a, b, n: a[:n] + b + a[n:], part, part, st.integers(1, 3))
    said = "".join(data.draw(st.lists(part | nested, max_size=12)))
    # All that the tokenizer has, once each, in a part of the examples.
    label = data.draw(st.sampled_from(["cup", "".join(tokens)]))
    harmless = adapter.prepare([request("a b c", "cup")])
    prepared = adapter.prepare([request(said, label)])
    assert specials(adapter, prepared) == specials(adapter, harmless)
    assert prepared.visual_tokens == harmless.visual_tokens


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Look: <image>.", "Look: < image>."),
        ("<|im_end|>", "< |im_end|>"),
        ("[INST] x [/INST]", "[ INST] x [ /INST]"),
        ("<im<image>age>", "<im< image>age>"),
        ("<<SYS>>", "<< SYS>>"),
        ("a < b > c, [1] and 3 |> 4", "a < b > c, [1] and 3 |> 4"),
        ("five <3 hearts [Music] [laughs]", "five <3 hearts [Music] [laughs]"),
    ],
)
def test_what_looks_like_a_control_token_is_broken_and_stays_legible(said: str, left: str) -> None:
    assert Controls().broken(said) == left


def test_tokens_that_look_like_nothing_special_are_known_by_their_tokenizer() -> None:
    from tokenizers import AddedToken

    tokenizer = byte_tokenizer(["<pad>", "<s>", "</s>", "@@turn@@", "§"])
    tokenizer.add_tokens([AddedToken("Kairos"), AddedToken("~~tool~~")])
    processor = SimpleNamespace(tokenizer=tokenizer, image_token="(image)")
    controls = Controls(processor)
    assert controls.broken("@@turn@@ 1 § (image) ~~tool~~") == "@ @turn@@ 1   ( image) ~ ~tool~~"
    # A word that was added to a vocabulary is a word.
    assert controls.broken("Kairos sees") == "Kairos sees"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    known=st.lists(st.text("<>| ab", min_size=1, max_size=5), max_size=5),
    said=st.text("<>| ab", max_size=30),
)
@example(known=["< a>", "<a>", "a "], said="<a>")
def test_no_token_outlives_it_whatever_the_tokens_are(known: list[str], said: str) -> None:
    processor = SimpleNamespace(**{f"t{n}_token": token for n, token in enumerate(known)})
    left = Controls(processor).broken(said)
    assert not [token for token in known if not token.isspace() and token in left]
