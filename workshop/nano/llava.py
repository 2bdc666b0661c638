"""The nano LLaVA-NeXT before training: its tokenizer, processor and empty model.

Everything is a standard class of transformers, so what is saved loads like any LLaVA-NeXT.
"""

from __future__ import annotations

from typing import Any

import torch

from kairos_lib.weights.location import NANO as SHIPPED
from workshop.nano.questions import vocabulary_lines

WEIGHTS = SHIPPED / "llava"

IMAGE_PX = 112
PATCH_PX = 16
GRID = IMAGE_PX // PATCH_PX
WIDTH = 192
HEADS = 6
LAYERS = 4
IMAGE_TOKEN = "<image>"

# The format of Vicuna, which LLaVA 1.6 speaks. `{{ '\n' }}` because a newline that follows a tag
# is dropped by the template engine.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if not loop.first %}{{ ' ' }}{% endif %}"
    "{{ message['role'] | upper + ': ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}"
    "{{ '<image>' + '\n' }}"
    "{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)


def build_tokenizer() -> Any:
    """Build the tokenizer: byte-level BPE with one token for every word of the world."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    # Typed in part and not in whole; here the classes are taken as they come.
    library: Any = transformers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,  # An upper bound: merging ends when every word is whole.
        min_frequency=2,
        special_tokens=["<pad>", "</s>", IMAGE_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Twice, because a word has to be seen that often to become one token.
    tokenizer.train_from_iterator(vocabulary_lines() * 2, trainer)
    return library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        extra_special_tokens={"image_token": IMAGE_TOKEN},
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )


def build_processor() -> Any:
    """Build the processor: images to tiles of 112 pixels, text to tokens."""
    import transformers

    library: Any = transformers
    square = {"height": IMAGE_PX, "width": IMAGE_PX}
    return library.LlavaNextProcessor(
        image_processor=library.LlavaNextImageProcessor(
            size=square, crop_size=square, image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]]
        ),
        tokenizer=build_tokenizer(),
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE_TOKEN,
        num_additional_image_tokens=1,
    )


def build_model(tokenizer: Any) -> Any:
    """Build the model with random weights, its patch positions started from sines and cosines."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
    )

    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            image_size=IMAGE_PX,
            patch_size=PATCH_PX,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=512,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]],
        # The last layer: the usual -2 would leave a quarter of this tower unused.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    model = LlavaNextForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    eyes = model.model.vision_tower.embeddings
    with torch.no_grad():
        # CLIP's own start is noise of 0.02 for both, which leaves a small tower blind to place
        # and to all but the mean colour of a patch for long.
        eyes.position_embedding.weight[1:] = 0.3 * _grid_sines(GRID, WIDTH)
        eyes.patch_embedding.weight.copy_(_cosine_filters(PATCH_PX, WIDTH))
    return model


def _cosine_filters(patch: int, width: int) -> torch.Tensor:
    """Filters of a discrete cosine transform, of shape (width, 3, patch, patch).

    For each of brightness, red-green and blue-yellow the lowest frequencies in both directions,
    with gains that grow with frequency, since in images with edges amplitudes fall with it.
    """
    side = round((width / 3) ** 0.5)
    places = (torch.arange(patch) + 0.5) * torch.pi / patch
    waves = torch.cos(torch.arange(side)[:, None] * places[None])
    waves = waves / waves.norm(dim=1, keepdim=True)
    opponents = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    opponents = opponents / opponents.norm(dim=1, keepdim=True)
    steps = torch.arange(side, dtype=torch.float32)
    gains = 0.1 * (1.0 + (steps[:, None] ** 2 + steps[None] ** 2).sqrt())
    filters = torch.einsum("uv,oc,ui,vj->ouvcij", gains, opponents, waves, waves)
    return filters.reshape(width, 3, patch, patch)


def _grid_sines(grid: int, width: int) -> torch.Tensor:
    """Sine-cosine embeddings of a square grid, of shape (grid * grid, width)."""
    quarter = width // 4
    rates = 1.0 / 100 ** (torch.arange(quarter) / quarter)
    angles = torch.arange(grid)[:, None] * rates[None] * 1.5
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = waves[:, None].expand(grid, grid, width // 2)
    columns = waves[None].expand(grid, grid, width // 2)
    return torch.cat([rows, columns], dim=2).reshape(grid * grid, width)
