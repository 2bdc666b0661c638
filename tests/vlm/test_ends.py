"""A checkpoint's generation settings: its special tokens are heeded, all else is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.frames import two_scenes
from helpers.projects import tiny_model
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import find_family

PHASES = (Phase.explicit, Phase.generate)
"""A failure is not made smaller: each try loads a model."""
OWN = {"eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1}
BAD = {
    "stop_strings": ["a", "e"], "return_dict_in_generate": True, "output_scores": True,
    "output_logits": True, "output_attentions": True, "output_hidden_states": True,
    "num_return_sequences": 3, "use_cache": False, "do_sample": True, "max_length": 5,
    "max_new_tokens": 2, "min_new_tokens": 30, "min_length": 900, "temperature": 3.5, "top_k": 1,
    "top_p": 0.01, "typical_p": 0.1, "epsilon_cutoff": 0.2, "repetition_penalty": 9.0,
    "no_repeat_ngram_size": 1, "encoder_no_repeat_ngram_size": 1, "num_beams": 4,
    "num_beam_groups": 2, "diversity_penalty": 0.5, "length_penalty": 9.0, "early_stopping": True,
    "prompt_lookup_num_tokens": 3, "assistant_early_exit": 1, "is_assistant": True,
    "num_assistant_tokens": 4, "guidance_scale": 2.0, "cache_implementation": "static",
    "cache_config": {"nbits": 4}, "max_time": 0.0, "penalty_alpha": 0.6, "dola_layers": "high",
    "watermarking_config": {"bias": 2.5}, "token_healing": True, "sequence_bias": [[[5], 9.0]],
    "renormalize_logits": True, "remove_invalid_values": True, "low_memory": True,
    "exponential_decay_length_penalty": [1, 9.0], "compile_config": {}, "disable_compile": False,
    "forced_decoder_ids": [[1, 5]], "custom_generate": "a/b", "logits_processor": [], "top": 1,
    "generation_kwargs": {"a": 1}, "streamer": "x", "assistant_model": "a/b", "max_cache_len": 1,
}  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**9) | st.floats(allow_nan=False) | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)


def loaded(folder: Path, **generation: object) -> Any:
    limits = {"max_new_tokens": 12, **generation}
    values = {**tiny_model(folder, family="auto", generation=limits), "name": "m"}
    adapter = find_family("auto")(Model.model_validate(values), folder)
    adapter.load()
    return adapter


@pytest.fixture(scope="module")
def folder(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("ends") / "model"
    shutil.copytree(checkpoint("llava"), copy)
    return copy


@pytest.fixture(scope="module")
def words(checkpoint: Callable[[str], Path]) -> tuple[str, ...]:
    """What the checkpoint says with nothing but its ends."""
    return written(loaded(checkpoint("llava")))


def written(adapter: Any) -> tuple[str, ...]:
    texts: tuple[str, ...] = adapter.generate(adapter.prepare(two_scenes())).texts
    return texts


def give(folder: Path, **values: object) -> None:
    (folder / "generation_config.json").write_text(json.dumps(values))


@settings(
    derandomize=True, deadline=None, max_examples=12, phases=PHASES,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    st.dictionaries(st.sampled_from(sorted(BAD)), VALUES, max_size=6)
    | st.lists(st.sampled_from(sorted(BAD)), max_size=9).map(lambda ks: {k: BAD[k] for k in ks})
)
@example(BAD)
def test_nothing_but_special_tokens_of_a_checkpoints_settings_changes_a_caption(
    folder: Path, words: tuple[str, ...], values: dict[str, Any]
) -> None:
    give(folder, **OWN, **values)
    adapter = loaded(folder)
    assert written(adapter) == words
    told = {one.split(":")[0] for one in adapter.left_out()}
    assert told == {key for key, value in values.items() if value is not None}


@settings(derandomize=True, deadline=None, max_examples=12, phases=PHASES)
@given(
    values=st.dictionaries(
        st.sampled_from(
            ["eos_token_id", "pad_token_id", "bos_token_id", "suppress_tokens", "bad_words_ids",
             "begin_suppress_tokens", "forced_eos_token_id", "decoder_start_token_id"]
        ),
        VALUES,
        max_size=4,
    )
)  # fmt: skip
@example({"suppress_tokens": [2, 7], "forced_eos_token_id": 2, "forced_bos_token_id": [7]})
@example({"bad_words_ids": [[3], [2]], "begin_suppress_tokens": [2], "eos_token_id": [2, 999_999]})
def test_special_tokens_that_are_none_stop_no_run(folder: Path, values: dict[str, Any]) -> None:
    give(folder, **values)
    assert len(written(loaded(folder))) == 2


def test_ends_and_forbidden_tokens_are_the_checkpoints(folder: Path) -> None:
    give(folder, eos_token_id=2)
    adapter = loaded(folder, min_new_tokens=12)
    prepared = adapter.prepare(two_scenes()[:1])
    row = adapter.model.generate(**prepared.inputs, max_new_tokens=6, do_sample=False)[0, -6:]
    third = row.tolist()[2]
    give(folder, eos_token_id=[2, third])
    ended = loaded(folder).generate(prepared)
    assert ended.new_tokens == (row.tolist().index(third) + 1,)
    assert ended.truncated == (False,)
    for name, value in (("suppress_tokens", [third]), ("bad_words_ids", [[third]])):
        give(folder, **{"eos_token_id": 2, name: value})
        adapter = loaded(folder)
        output = adapter.model.generate(**prepared.inputs, max_new_tokens=6, do_sample=False)
        assert third not in output[0, -6:].tolist()
        assert adapter.left_out() == ()


def test_a_checkpoint_that_names_no_end_ends_as_its_tokenizer_does(folder: Path) -> None:
    give(folder, temperature=0.5)
    adapter = loaded(folder)
    assert adapter.model.generation_config.eos_token_id == [2]
    assert adapter.left_out() == ("temperature: 0.5",)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\xff"])
def test_settings_that_are_none_are_one_line(folder: Path, text: str) -> None:
    (folder / "generation_config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(KairosError, match=r"generation_config\.json") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
