"""Dummy weights: a model's true architecture at full size, filled with random numbers.

Such a model's captions are noise, but it needs the time and memory of the real one. An architecture
is a file in `parameters/architectures/`; nothing is downloaded, and nothing large is written to
disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.yaml_files import read, validate

if TYPE_CHECKING:
    import torch

SCALE = 0.02
"""Standard deviation of the weights, as most models are initialised."""
BLOCK = 4_194_301
"""Random numbers that all weights are sliced from. A prime, so that no two rows are the same."""
PIECE = r"\s?[^\s]{1,6}"
"""A stand-in for a token: English text has about 1.3 of them per word, as with real tokenizers."""
UNKNOWN = "<unk>"


class Words(Settings):
    """A tokenizer's size and its special tokens."""

    size: int = Field(ge=1)
    special: dict[str, int]
    pad: str
    end: str
    longest: int | None = None
    """Tokens that a text is truncated to, if it is."""


class Architecture(Settings):
    """All of a checkpoint except its weights and its vocabulary."""

    config: dict[str, Any]
    """`config.json`."""
    processor: dict[str, Any] = Field(default_factory=dict)
    """`processor_config.json`, if the family has one."""
    vision: dict[str, Any] = Field(default_factory=dict)
    """`clip_config.json`: the vision tower, if `config` only names it."""
    tokenizers: dict[str, Words]
    """By the folder, below the checkpoint's, that each belongs in."""
    places: dict[str, str] = Field(default_factory=dict)
    """Placeholders of an image or a video in a prompt."""


@contextmanager
def checkpoint(architecture: Path) -> Iterator[Path]:
    """A temporary folder like a checkpoint from the hub, but without weights.

    Args:
        architecture: A file of `parameters/architectures`.

    Raises:
        KairosError: Something in it is wrong.
    """
    shown = f"parameters/architectures/{architecture.name}"
    described = validate(Architecture, read(architecture, shown), shown)
    with TemporaryDirectory(prefix="kairos-dummy-") as scratch:
        folder = Path(scratch)
        (folder / "config.json").write_text(json.dumps(described.config), encoding="utf-8")
        if described.processor:
            text = json.dumps(described.processor)
            (folder / "processor_config.json").write_text(text, encoding="utf-8")
        if described.vision:
            text = json.dumps(described.vision)
            (folder / "clip_config.json").write_text(text, encoding="utf-8")
        template = _template(described.places)
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        for place, words in described.tokenizers.items():
            tokenizer = _tokenizer(words)
            tokenizer.chat_template = template
            tokenizer.save_pretrained(folder / place)
        yield folder


def random_weights(model_class: Any, config: Any, dtype: torch.dtype) -> dict[str, Random]:
    """A state dict whose tensors are created when they are accessed.

    Args:
        model_class: A class of transformers.
        config: Its configuration, which sets the shapes.
        dtype: Of the tensors.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    block = (torch.randn(BLOCK, generator=generator) * SCALE).to(dtype)
    with torch.device("meta"):
        shapes = model_class(config).state_dict()
    return {name: Random(name, tuple(empty.shape), block) for name, empty in shapes.items()}


class Random:
    """A tensor that is created when it is sliced, as with safetensors."""

    def __init__(self, name: str, shape: tuple[int, ...], block: torch.Tensor) -> None:
        self._name = name
        self._shape = shape
        self._block = block

    def __getitem__(self, everything: object) -> torch.Tensor:
        """Create it; weights of a norm are ones, and biases zeros."""
        import torch

        if len(self._shape) < 2:
            value = 0.0 if self._name.endswith("bias") else 1.0
            return torch.full(self._shape, value, dtype=self._block.dtype)
        count = math.prod(self._shape)
        # Each begins at another offset, or all layers would be the same.
        shift = sum(self._name.encode()) * 7919 % BLOCK
        tiles = self._block.roll(shift).repeat(math.ceil(count / BLOCK))
        return tiles[:count].view(self._shape)


def _tokenizer(words: Words) -> Any:
    """Splits text into unknown pieces, and can write any word of its vocabulary."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = {number: token for token, number in words.special.items()}
    free = next(number for number in range(words.size) if number not in names)
    names.setdefault(free, UNKNOWN)
    vocabulary = {names.get(number, f"w{number}"): number for number in range(words.size)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), "isolated")
    tokenizer.add_special_tokens(list(words.special))
    longest = {} if words.longest is None else {"model_max_length": words.longest}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=words.pad, eos_token=words.end, **longest
    )


def _template(places: dict[str, str]) -> str:
    """A template for one user turn, with its parts in order."""
    parts = "".join(
        f"{{% if part['type'] == '{kind}' %}}{place}\n{{% endif %}}"
        for kind, place in places.items()
    )
    return (
        "{% for message in messages %}USER: "
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        f"{{% for part in message['content'] %}}{parts}"
        "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
    )
