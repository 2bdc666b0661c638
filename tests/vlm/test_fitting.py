"""Prompts that are longer than a model's context: what was found is cut, nothing else."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.projects import tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos_lib.bench.display import need_lines
from kairos_lib.bench.requirements import Requirement
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import Request, SceneError, find_family
from kairos_lib.vlm.fitting import context_tokens, shortened
from kairos_lib.vlm.forecast import forecast
from workshop.nano.scene_prompts import SceneContext, scene_prompt

QUESTION = "Describe what happens in this scene."
FRAMES = tuple(np.full((2, 56, 84, 3), 90, dtype=np.uint8))
NEW_TOKENS = 8
MANY_TOKENS = {
    "Chinese": "\u4eca\u5929\u7684\u6bd4\u8d5b\u5f88\u7cbe\u5f69",
    "Thai": "\u0e27\u0e31\u0e19\u0e19\u0e35\u0e49",
    "emoji": "\U0001f469\U0001f3fd\u200d\U0001f680",
}
"""Some characters of scripts of which each is several tokens."""


def model(weights: Path, **changes: object) -> Model:
    values = tiny_model(weights, generation={"max_new_tokens": NEW_TOKENS}, **changes)
    values["prompt"] = {"instruction": QUESTION}
    return Model.model_validate({**values, "name": "m"})


def request(number: int = 0, transcript: str = "") -> Request:
    told = SceneContext(transcript, ["applause"], [("person", 2)] if transcript else ())
    return Request(number, FRAMES, (0.0, 0.5), scene_prompt(QUESTION, told), QUESTION)


def tokens(adapter: Any, one: Request) -> int:
    return int(adapter.counted([one]).prompt_tokens[0])


@pytest.fixture(scope="module")
def room_for_80(llava_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model with room for pictures, question, caption and 80 tokens more."""
    folder = Path(shutil.copytree(llava_weights, tmp_path_factory.mktemp("short") / "model"))
    loose = find_family("llava_next")(model(folder), folder)
    loose.load_empty()
    alone = Request(0, FRAMES, (0.0, 0.5), QUESTION, QUESTION)
    limit(folder, tokens(loose, alone) + NEW_TOKENS + 80)
    adapter = find_family("llava_next")(model(folder), folder)
    adapter.load()
    return adapter


def limit(folder: Path, count: int) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["text_config"]["max_position_embeddings"] = count
    (folder / "config.json").write_text(json.dumps(values))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(sorted(MANY_TOKENS)), st.integers(80, 400), st.integers(0, 30))
def test_a_long_transcript_is_cut_until_the_prompt_has_room(
    room_for_80: Any, script: str, length: int, spaces: int
) -> None:
    text = (MANY_TOKENS[script] * length)[:length]
    long, short = request(0, " " * spaces + text), request(1)
    prepared = room_for_80.prepare([long, short])
    most = room_for_80.context_tokens
    assert max(prepared.prompt_tokens) + NEW_TOKENS <= most
    # Little more is taken away than has to be.
    assert prepared.prompt_tokens[0] + NEW_TOKENS > most - 40
    untouched = room_for_80.counted([long, short])
    assert prepared.left_out_chars[0] > 0
    assert prepared.left_out_chars[1] == 0
    assert prepared.prompt_tokens[1] == untouched.prompt_tokens[1]
    assert prepared.visual_tokens == untouched.visual_tokens
    words = room_for_80.processor.tokenizer.decode(prepared.inputs["input_ids"][0])
    assert QUESTION in words
    assert room_for_80.prepare([long, short]).left_out_chars == prepared.left_out_chars
    assert room_for_80.generate(prepared).errors == ("", "")


def test_a_prompt_with_room_is_told_whole(room_for_80: Any) -> None:
    prepared = room_for_80.prepare([request()])
    assert prepared.left_out_chars == (0,)
    assert prepared.prompt_tokens == room_for_80.counted([request()]).prompt_tokens


def test_pictures_and_question_without_room_are_an_error_of_their_scene(
    room_for_80: Any,
) -> None:
    question = "What happens? " * 20
    with pytest.raises(SceneError, match=r"more than the .* of the model's context"):
        room_for_80.prepare([Request(0, FRAMES, (0.0, 0.5), f"Speech: hi\n{question}", question)])


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (scene_prompt(QUESTION, SceneContext(MANY_TOKENS["Chinese"] * 40)), "cut short"),
        (QUESTION, ""),
    ],
)
def test_a_plan_says_what_has_no_room(room_for_80: Any, prompt: str, said: str) -> None:
    folder, own = room_for_80.weights, room_for_80.settings
    found = forecast(own, folder, (84, 56), prompt)
    assert found.context_tokens == room_for_80.context_tokens
    lines = need_lines([Requirement(own, found, "", True, 1e6, "here")])
    assert [line for line in lines if "its context" in line] == [
        line for line in lines if said and said in line
    ]
    longer = own.generation.model_copy(update={"max_new_tokens": NEW_TOKENS + 81})
    much = own.model_copy(update={"generation": longer})
    lines = need_lines([Requirement(much, found, "", True, 1e6, "here")])
    assert any("no caption" in line for line in lines)


def config(**values: object) -> Any:
    text = SimpleNamespace(**values)
    return SimpleNamespace(get_text_config=lambda: text)


@pytest.mark.parametrize(
    ("values", "own", "expected"),
    [
        ({"max_position_embeddings": 4096}, 77, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"factor": 2.0}}, 77, 8192),
        # As of Qwen2-VL with YaRN, and of Llama 3.1 and Phi-3.5, which give the length after.
        (
            {
                "max_position_embeddings": 32768,
                "rope_parameters": {"factor": 4.0, "original_max_position_embeddings": 32768},
            },
            77,
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_parameters": {"factor": 8.0, "original_max_position_embeddings": 8192},
            },
            77,
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {"original_max_position_embeddings": 4096},
            },
            77,
            131072,
        ),
        ({}, 77, 77),
        ({}, 10**30, None),
        ({"is_encoder_decoder": True, "max_position_embeddings": 512}, 77, None),
    ],
)
def test_the_context_is_what_positions_reach(
    values: dict[str, object], own: int, expected: int | None
) -> None:
    assert context_tokens(config(**values), SimpleNamespace(model_max_length=own)) == expected


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), max_size=4),
    st.integers(1, 500),
)
def test_cutting_comes_to_an_end_and_never_touches_the_question(
    lines: list[str], over: int
) -> None:
    prompt = "".join(f"{line}\n" for line in lines) + QUESTION
    one: Request | None = Request(0, FRAMES, (0.0, 0.5), prompt, QUESTION)
    sizes = []
    while one is not None:
        sizes.append(len(one.prompt))
        assert one.prompt.endswith(QUESTION)
        one = shortened(one, over, len)
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] == len(QUESTION)


SOUNDS = "Sounds: applause, whistle"
SPEECH = "Speech: " + "and so on and on " * 20
IMAGES = (np.zeros((2, 2, 3), np.uint8),)


def cut(lines: list[str], over: int) -> list[str]:
    """What is left of lines that are a number of characters too long, each character a token."""
    told = Request(0, IMAGES, (0.0,), "\n".join([*lines, "What?"]), "What?")
    left = shortened(told, over, len)
    assert left is not None
    assert left.prompt.endswith("What?")
    return left.context.splitlines()


@pytest.mark.parametrize("lines", [[SPEECH, SOUNDS], [SOUNDS, SPEECH]])
def test_the_longest_line_gives_way_first_wherever_it_stands(lines: list[str]) -> None:
    left = cut(lines, over=100)
    assert SOUNDS in left
    (speech,) = [line for line in left if line != SOUNDS]
    assert speech.endswith(" ...")
    assert SPEECH.startswith(speech.removesuffix(" ..."))


@pytest.mark.parametrize("over", [1, 7, 100, 300])
def test_at_least_what_is_too_much_goes_and_hardly_more(over: int) -> None:
    whole = sum(len(line) + 1 for line in (SPEECH, SOUNDS))
    left = sum(len(line) + 1 for line in cut([SPEECH, SOUNDS], over))
    # A mark of four characters, and a word that ends in a blank or a stop.
    assert whole - over - len(" ...") - 4 <= left <= whole - over


def test_lines_too_short_to_tell_anything_are_left_out_whole() -> None:
    assert cut([SPEECH, SOUNDS], over=len(SPEECH) + len(SOUNDS) - 10) == []
