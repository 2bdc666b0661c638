"""The nano Whisper: its shape, its tokens, and how it is written down. Knows no training.

What is written is a CTranslate2 folder, which faster-whisper reads as it reads any other.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kairos_lib.nano.narration import vocabulary
from kairos_lib.weights.location import NANO as SHIPPED

WEIGHTS = SHIPPED / "whisper"

MELS = 80
HOP = 160
"""Samples at 16 kHz from one mel frame to the next."""
WINDOW_S = 8
"""The longest stretch that is heard at once; a longer span is heard in several."""
LONGEST_PAUSE_S = 0.0
"""Between two stretches of voice in a window: each is heard alone. It was taught on sentences with
up to 0.8 s between them (`windows.draw`); joined over so much its times are off by up to 0.3 s
instead of 0.03, and over pauses of seconds it leaves sentences out."""
WINDOW_FRAMES = WINDOW_S * 16_000 // HOP
WINDOW_POSITIONS = WINDOW_FRAMES // 2
"""Places of the encoder, each of 20 ms, that a window can fill."""
MAX_POSITIONS = 1500
"""What faster-whisper pads to, whatever the window."""
TIMESTAMPS = 1501
TIMESTAMP_S = 0.02

# In this order: faster-whisper and CTranslate2 look them up by name, and none may be missing.
_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)


@dataclass(frozen=True)
class Tokens:
    """The numbers of the tokens that a transcript is made of."""

    words: dict[str, int]
    end: int
    start: int
    no_speech: int
    no_timestamps: int
    first_timestamp: int

    @classmethod
    def of(cls, tokenizer: Any) -> Tokens:
        """Look them up; a word of the narration is one token together with its space."""
        ids = tokenizer.get_vocab()
        return cls(
            words={word: ids[f"Ġ{word}"] for word in vocabulary()},
            end=ids["<|endoftext|>"],
            start=ids["<|startoftranscript|>"],
            no_speech=ids["<|nospeech|>"],
            no_timestamps=ids["<|notimestamps|>"],
            first_timestamp=len(tokenizer),
        )

    def at(self, time_s: float) -> int:
        """The token of a time in the window."""
        return self.first_timestamp + min(max(round(time_s / TIMESTAMP_S), 0), TIMESTAMPS - 1)


def build_tokenizer() -> Any:
    """A byte-level tokenizer that can write anything, and a known word as one token."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    library: Any = transformers
    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges: list[tuple[str, str]] = []
    # Words grow letter by letter from the space before them, shortest beginnings first.
    beginnings = {f"Ġ{word[:end]}" for word in vocabulary() for end in range(1, len(word) + 1)}
    for piece in sorted(beginnings, key=lambda piece: (len(piece), piece)):
        merges.append((piece[:-1], piece[-1]))
        pieces.append(piece)
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(_SPECIAL))
    return library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )


def build_model(tokenizer: Any) -> Any:
    """A Whisper of 1.7 million parameters with random weights."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    tokens = Tokens.of(tokenizer)
    config = WhisperConfig(
        vocab_size=len(tokenizer) + TIMESTAMPS,
        d_model=128,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        num_mel_bins=MELS,
        max_source_positions=MAX_POSITIONS,
        max_target_positions=448,
        init_std=0.05,
        dropout=0.0,
        decoder_start_token_id=tokens.start,
        eos_token_id=tokens.end,
        bos_token_id=tokens.end,
        pad_token_id=tokens.end,
        suppress_tokens=[],
        begin_suppress_tokens=[tokens.end],
    )
    model = WhisperForConditionalGeneration(config)
    places = model.model.encoder.embed_positions.weight
    with torch.no_grad():
        # A time is told by the place where it was heard.
        embeddings = model.model.decoder.embed_tokens.weight
        times = _sinusoids(TIMESTAMPS, config.d_model)
        embeddings[tokens.first_timestamp :] = times * config.init_std * math.sqrt(2)
        # Nothing is ever heard there: one place stands for all in training.
        places[WINDOW_POSITIONS:] = 0.0
    places.requires_grad_(False)
    return model


def save(model: Any, tokenizer: Any, out: Path, scratch: Path, quantization: str = "int8") -> None:
    """Write a model as a CTranslate2 folder.

    Args:
        model: The trained model.
        tokenizer: What `build_tokenizer` made.
        out: The folder to write; one that exists is written over.
        scratch: A folder for the same model in the format of transformers.
        quantization: `int8`, `float16` or `float32`.
    """
    import transformers
    from ctranslate2.converters import TransformersConverter

    library: Any = transformers
    config = model.config
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    model.generation_config.alignment_heads = [[layers - 1, head] for head in range(heads)]
    model.generation_config.no_timestamps_token_id = Tokens.of(tokenizer).no_timestamps
    model.generation_config.is_multilingual = False
    model.generation_config.suppress_tokens = []
    model.generation_config.begin_suppress_tokens = [config.eos_token_id]
    model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    library.WhisperFeatureExtractor().save_pretrained(scratch)
    converter = TransformersConverter(str(scratch), copy_files=["tokenizer.json"])
    # Forced, since the folder is there: the model card lies in it.
    converter.convert(str(out), quantization=quantization, force=True)
    hearing: dict[str, float] = {"feature_size": MELS, "sampling_rate": 16_000, "hop_length": HOP}
    hearing |= {"chunk_length": WINDOW_S, "n_fft": 400, "longest_pause_s": LONGEST_PAUSE_S}
    text = json.dumps(hearing, indent=1)
    (out / "preprocessor_config.json").write_text(text + "\n", encoding="utf-8")


def _sinusoids(count: int, width: int) -> Tensor:
    """The places of a Whisper's encoder (Vaswani et al., 2017; openai/whisper's frequencies)."""
    rates = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(count)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
