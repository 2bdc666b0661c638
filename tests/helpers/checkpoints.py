"""Tiny checkpoints of the true architectures, with random weights.

They say nonsense, but are saved and loaded exactly as the real ones are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kairos_lib.vlm.adapter import Request

TEMPLATE = (
    "{% for message in messages %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{{ '\\n' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


CHECKPOINTS = {
    "auto": "llava_next",
    "instructblip": "instructblip",
    "llava_next": "llava_next",
    "llava_video": "llava_video",
    "phi35": "phi35",
    "qwen2_vl": "qwen2_vl",
    "qwen2_vl (2.5)": "qwen2_5_vl",
    "smolvlm2": "smolvlm",
}


def byte_tokenizer(special: list[str], size: int = 0, begins: bool = False, **more: object):
    """A byte-level tokenizer without merges: it can write anything and was trained on nothing.

    Args:
        special: Its tokens that are no text; `<pad>`, `<s>` and `</s>` among them.
        size: Filled up to it with words that it can only write.
        begins: Whether it puts a BOS before every text.
        more: Of `PreTrainedTokenizerFast`.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*special, *alphabet]
    known += [f"w{number}" for number in range(len(known), size)]
    vocabulary = {token: i for i, token in enumerate(known)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", bos_token="<s>", **more
    )


def tiny_llava(folder: Path) -> Path:
    """A LLaVA-NeXT of 0.1 M parameters."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
    )

    tokenizer = byte_tokenizer(["<pad>", "<s>", "</s>", "<image>"])
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": 28},
            crop_size={"height": 28, "width": 28},
            image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=TEMPLATE,
    )
    torch.manual_seed(0)
    model = LlavaNextForConditionalGeneration(
        LlavaNextConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=28,
                patch_size=14,
            ),
            text_config=LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=2048,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                initializer_range=0.2,  # Random, but decided: no near ties between tokens.
            ),
            image_token_index=3,
            image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
        )
    )
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def tiny_ast(folder: Path) -> Path:
    """An audio spectrogram transformer with three labels."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    labels = {0: "Music", 1: "Whistle", 2: "Silence"}
    config = ASTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        id2label=labels,
        label2id={label: i for i, label in labels.items()},
    )
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor().save_pretrained(folder)
    return folder


def tiny_yolo(path: Path) -> Path:
    """An untrained YOLOv8 that has the real one's checkpoint format."""
    from kairos_lib.analyzers import objects

    objects.set_up_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel("yolov8n.yaml", ch=3, nc=3, verbose=False)
    model.names = {0: "circle", 1: "square", 2: "star"}
    model.args = {"task": "detect", "imgsz": 640}
    model.pt_path = str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.half(), "train_args": {"task": "detect"}}, path)
    return path


def tiny_whisper(folder: Path, scratch: Path) -> Path:
    """A Whisper in CTranslate2's format, which faster-whisper reads."""
    import json

    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    special = ["<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer = byte_tokenizer(["<pad>", "<s>", "</s>"])
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in special}
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokenizer) + 1501,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        eos_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        suppress_tokens=[],
        begin_suppress_tokens=[ids["<|endoftext|>"]],
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.alignment_heads = [[0, 0], [0, 1]]
    model.generation_config.no_timestamps_token_id = ids["<|notimestamps|>"]
    model.generation_config.is_multilingual = False
    model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    WhisperFeatureExtractor().save_pretrained(scratch)
    TransformersConverter(str(scratch), copy_files=["tokenizer.json"]).convert(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}))
    return folder


def requests(count: int = 4) -> list[Request]:
    """Scenes whose prompts and pictures are of different sizes."""
    random = np.random.default_rng(0)
    shapes = [(56, 84, 3), (84, 56, 3), (60, 60, 3), (56, 84, 3)]
    prompts = ["Describe.", "Describe the scene in detail.", "What?", "Speech: hello\nDescribe."]
    return [
        Request(n, tuple(random.integers(0, 255, (2, *shape), dtype=np.uint8)), (0.0, 0.5), prompt)
        for n, (shape, prompt) in enumerate(zip(shapes[:count], prompts, strict=False))
    ]
