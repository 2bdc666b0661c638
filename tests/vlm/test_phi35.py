"""Phi-3.5-Vision of our own: the original's numbers, with a cache and in batches."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import vlm_checkpoints
from helpers.phi35_candidate import Candidate
from PIL import Image

from kairos_lib.errors import KairosError
from kairos_lib.vlm.phi35 import configuration, pictures, prompts

CHECKOUT = Path(__file__).resolve().parents[2]
SPECIFICATION = CHECKOUT.parent / "shared" / "phi35"
BOUNDARY = 1024


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vlm_checkpoints.phi35(tmp_path_factory.mktemp("weights") / "phi35")


@pytest.fixture(scope="module")
def candidate(weights: Path) -> Candidate:
    return Candidate(str(weights))


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8))


def prompt(words: int, image_tokens: tuple[int, ...] = (), seed: int = 0) -> torch.Tensor:
    """Random words around pictures, as the specification writes them: -1 where a picture is."""
    random = np.random.default_rng(seed)
    ids = [1]
    for number, count in enumerate(image_tokens, start=1):
        ids += [-number] * count
    ids += random.integers(10, 200, words).tolist()
    return torch.tensor([ids])


def ones(ids: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(ids)


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the specification is not beside us")
def test_it_computes_what_the_original_does() -> None:
    done = subprocess.run(
        [
            sys.executable, SPECIFICATION / "check.py",
            "--candidate", CHECKOUT / "tests" / "helpers" / "phi35_candidate.py",
        ],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RESULT OK" in done.stdout


@pytest.mark.parametrize(
    ("width", "height", "num_crops", "size", "tokens"),
    [
        (336, 336, 4, (672, 672), 757),
        (640, 360, 16, (1008, 1680), 2353),
        (640, 360, 1, (336, 336), 313),
        (360, 640, 16, (1680, 1008), 2377),
        (1000, 30, 4, (336, 1344), 745),
    ],
)
def test_a_picture_is_cut_into_as_many_crops_as_fit(
    width: int, height: int, num_crops: int, size: tuple[int, int], tokens: int
) -> None:
    seen = pictures.pictures_of([picture(width, height)], num_crops)
    assert tuple(seen.image_sizes[0].tolist()) == size
    assert seen.tokens == (tokens,)
    assert seen.pixel_values.shape == (1, num_crops + 1, 3, 336, 336)


def test_an_upright_picture_is_padded_at_its_sides() -> None:
    seen = pictures.pictures_of([Image.new("RGB", (100, 250))], 4)
    assert seen.image_sizes.tolist() == [[672, 336]]
    crop = seen.pixel_values[0, 1]
    assert crop[:, :, 0].min() > 1.9
    assert crop[:, :, 168].max() < -1.4


def test_a_picture_that_is_a_line_is_refused() -> None:
    with pytest.raises(KairosError, match="too long and thin"):
        pictures.pictures_of([picture(3000, 1)], 4)


def tokenizer(text: str) -> dict[str, list[int]]:
    return {"input_ids": [1, *map(ord, text)]}


def test_every_stretch_of_a_prompt_is_tokenized_by_itself() -> None:
    ids = prompts.input_ids(tokenizer, "a<|image_1|>b<|image_2|>", (2, 3), 9)
    assert ids == [1, ord("a"), 9, 9, 1, ord("b"), 9, 9, 9, 1]


@pytest.mark.parametrize(
    "text", ["<|image_2|><|image_1|>", "<|image_1|><|image_1|>", "<|image_1|>", "none"]
)
def test_tags_out_of_order_or_repeated_are_refused(text: str) -> None:
    with pytest.raises(KairosError, match="name each once and in order"):
        prompts.input_ids(tokenizer, text, (2, 3), 9)


def test_pictures_that_do_not_fill_their_places_are_refused(candidate: Candidate) -> None:
    seen = candidate.preprocess([picture(336, 336)], 1)
    with pytest.raises(KairosError, match="312 image tokens, and their pictures take 313"):
        ids = prompt(3, (312,))
        candidate.forward(ids, ones(ids), None, seen["pixel_values"], seen["image_sizes"])


def test_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "phi3"}')
    with pytest.raises(KairosError, match=r"it is not Phi-3\.5-Vision"):
        configuration.read_config(tmp_path)


def two_pictures(candidate: Candidate) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    seen = candidate.preprocess([picture(400, 300), picture(300, 500, 1)], 1)
    return prompt(9, tuple(seen["num_img_tokens"])), seen["pixel_values"], seen["image_sizes"]


def test_a_cache_changes_no_token(candidate: Candidate) -> None:
    ids, pixels, sizes = two_pictures(candidate)
    cached = candidate.generate(ids, ones(ids), pixels, sizes, True, 12)
    assert cached.tolist() == candidate.generate(ids, ones(ids), pixels, sizes, False, 12).tolist()


def test_the_pictures_are_seen(candidate: Candidate) -> None:
    ids, pixels, sizes = two_pictures(candidate)
    one = candidate.forward(ids, ones(ids), None, pixels, sizes)["logits"][0, -1]
    other = candidate.forward(ids, ones(ids), None, pixels.flip(0), sizes.flip(0))["logits"][0, -1]
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("long_before", [2, 1, 0])
def test_a_text_that_crosses_the_boundary_is_read_anew(
    candidate: Candidate, long_before: int
) -> None:
    seen = candidate.preprocess([picture(400, 300)], 1)
    tokens = tuple(seen["num_img_tokens"])
    ids = prompt(BOUNDARY - sum(tokens) - 1 - long_before, tokens)
    assert ids.shape[1] == BOUNDARY - long_before
    pictures_seen = (seen["pixel_values"], seen["image_sizes"])
    cached = candidate.generate(ids, ones(ids), *pictures_seen, True, 6)
    assert cached.tolist() == candidate.generate(ids, ones(ids), *pictures_seen, False, 6).tolist()


def batch(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return prompts.padded([row[0].tolist() for row in rows], pad_id=0)


def test_a_row_of_a_batch_is_as_it_is_alone(candidate: Candidate) -> None:
    ids, pixels, sizes = two_pictures(candidate)
    words = prompt(40, seed=1)
    both, mask = batch([ids, words])
    together = candidate.generate(both, mask, pixels, sizes, True, 8)
    alone = candidate.generate(ids, ones(ids), pixels, sizes, True, 8)
    assert together[0].tolist() == alone[0].tolist()
    alone = candidate.generate(words, ones(words), None, None, True, 8)
    assert together[1].tolist() == alone[0].tolist()


def test_a_long_row_does_not_change_a_short_one(candidate: Candidate) -> None:
    short, long = prompt(30), prompt(BOUNDARY - 3, seed=1)
    ids, mask = batch([short, long])
    together = candidate.generate(ids, mask, None, None, True, 6)
    for number, row in enumerate((short, long)):
        alone = candidate.generate(row, ones(row), None, None, True, 6)
        assert together[number].tolist() == alone[0].tolist()


def test_eager_attention_and_sdpa_agree(weights: Path, candidate: Candidate) -> None:
    ids, pixels, sizes = two_pictures(candidate)
    one = candidate.forward(ids, ones(ids), None, pixels, sizes)["logits"]
    eager = Candidate(str(weights), attention="eager")
    other = eager.forward(ids, ones(ids), None, pixels, sizes)["logits"]
    assert (one - other).abs().max() < 2e-4
