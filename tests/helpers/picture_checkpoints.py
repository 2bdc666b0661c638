"""Tiny checkpoints of what transformers has of models for pictures and text, with random weights.

One for each way in which a processor takes pictures and a template writes a prompt, as their real
ones do: a tokenizer that adds a BOS where a template writes one, place-holders of every look.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from helpers import vlm_checkpoints
from helpers.checkpoints import byte_tokenizer, tiny_llava
from helpers.vlm_checkpoints import DECIDED, SEED, saved, text_config, vision_config

SPECIAL = ["<pad>", "<s>", "</s>"]


def template(
    image: str, begin: str = "", turn: str = "USER: ", end: str = "", reply: str = " ASSISTANT:"
) -> str:
    """One turn in the order of its parts; a BOS before it where `begin` says so."""
    return (
        f"{begin}{{% for message in messages %}}{turn}{{% for part in message['content'] %}}"
        f"{{% if part['type'] == 'image' %}}{image}"
        "{% elif part['type'] == 'text' %}{{ part['text'] | trim }}{% endif %}{% endfor %}"
        f"{end}{{% endfor %}}{{% if add_generation_prompt %}}{reply}{{% endif %}}"
    )


def made(model: str, config: Any) -> Any:
    """A model of a class of transformers, decided in what it says."""
    import torch
    import transformers

    torch.manual_seed(SEED)
    network = getattr(transformers, model)(config)
    for parameter in network.parameters():
        # Gates and the like that are zeros before training would let no picture through.
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=DECIDED)
    return network


def clip_config(**more: Any) -> Any:
    """A vision tower's."""
    from transformers import CLIPVisionConfig

    return CLIPVisionConfig(**vision_config(**more))


def llama_config(tokenizer: Any, **more: Any) -> Any:
    """A language model's."""
    from transformers import LlamaConfig

    return LlamaConfig(**text_config(len(tokenizer), **more))


def llava(folder: Path) -> Path:
    """LLaVA-1.5: one list of pictures; the tokenizer adds the BOS and the template none."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaProcessor

    tokenizer = byte_tokenizer([*SPECIAL, "<image>"], begins=True)
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template("<image>\n"),
    )
    config = LlavaConfig(
        vision_config=clip_config(), text_config=llama_config(tokenizer), image_token_index=3
    )
    return saved(folder, made("LlavaForConditionalGeneration", config), processor)


def idefics3(folder: Path) -> Path:
    """Idefics3: a list of pictures for each request, tiles with rows and columns."""
    from transformers import Idefics3Config, Idefics3ImageProcessor, Idefics3Processor

    special = [*SPECIAL, "<image>", "<fake_token_around_image>", "<global-img>"]
    special += ["<end_of_utterance>", *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2))]
    tokenizer = byte_tokenizer(special, begins=True)
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessor(
            size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
        ),
        tokenizer=tokenizer,
        image_seq_len=1,
        chat_template=template(
            "<image>", "<s>", "User:", "<end_of_utterance>\n", reply="Assistant:"
        ),
    )
    config = Idefics3Config(
        vision_config=vision_config(),
        text_config=llama_config(tokenizer),
        image_token_id=3,
        scale_factor=2,
        pad_token_id=0,
    )
    return saved(folder, made("Idefics3ForConditionalGeneration", config), processor)


def gemma3(folder: Path) -> Path:
    """Gemma 3: a list for each request; both the template and the tokenizer write a BOS."""
    from transformers import Gemma3Config, Gemma3ImageProcessor, Gemma3Processor

    named = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    special = [*SPECIAL, *named.values(), "<start_of_turn>", "<end_of_turn>"]
    tokenizer = byte_tokenizer(special, begins=True, extra_special_tokens=named)
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=template(
            "<start_of_image>",
            "{{ bos_token }}",
            "<start_of_turn>user\n",
            "<end_of_turn>\n",
            "<start_of_turn>model\n",
        ),
    )
    config = Gemma3Config(
        vision_config=vision_config(),
        text_config=text_config(len(tokenizer), head_dim=32, query_pre_attn_scalar=32),
        mm_tokens_per_image=4,
        boi_token_index=3,
        eoi_token_index=4,
        image_token_index=5,
        initializer_range=DECIDED,
    )
    return saved(folder, made("Gemma3ForConditionalGeneration", config), processor)


def mllama(folder: Path) -> Path:
    """Llama 3.2 Vision: pictures looked at across, one token for each; two writers of a BOS."""
    from transformers import MllamaConfig, MllamaImageProcessor, MllamaProcessor

    special = ["<pad>", "<s>", "</s>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    special += ["<|python_tag|>", "<|image|>"]
    tokenizer = byte_tokenizer(special, begins=True)
    processor = MllamaProcessor(
        image_processor=MllamaImageProcessor(size={"height": 28, "width": 28}, max_image_tiles=2),
        tokenizer=tokenizer,
        chat_template=template(
            "<|image|>",
            "{{- bos_token }}",
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    )
    config = MllamaConfig(
        vision_config={
            "hidden_size": 64, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 2,
            "intermediate_size": 128, "vision_output_dim": 128, "image_size": 28, "patch_size": 14,
            "max_num_tiles": 2, "intermediate_layers_indices": [0],
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]], "initializer_range": DECIDED,
        },
        text_config={
            # The last rows of its embedding are not in the head: the image token is one of them.
            **text_config(len(tokenizer), num_hidden_layers=3, cross_attention_layers=[1]),
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        image_token_index=7,
    )  # fmt: skip
    return saved(folder, made("MllamaForConditionalGeneration", config), processor)


def internvl(folder: Path) -> Path:
    """InternVL: pictures or videos; control tokens as in Qwen."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLProcessor,
        InternVLVideoProcessor,
        InternVLVisionConfig,
        Qwen2Config,
    )

    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = byte_tokenizer(
        [*SPECIAL, *named.values(), "<|im_start|>", "<|im_end|>"], extra_special_tokens=named
    )
    size = {"height": 28, "width": 28}
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size, crop_to_patches=True, max_patches=2),
        video_processor=InternVLVideoProcessor(size=size),
        tokenizer=tokenizer,
        image_seq_length=1,
        chat_template=template(
            "<IMG_CONTEXT>\n",
            turn="<|im_start|>user\n",
            end="<|im_end|>\n",
            reply="<|im_start|>assistant\n",
        ),
    )
    vision = {**vision_config(), "image_size": [28, 28], "patch_size": [14, 14]}
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(**vision),
        text_config=Qwen2Config(**text_config(len(tokenizer))),
        image_token_id=5,
        image_seq_length=1,
    )
    return saved(folder, made("InternVLForConditionalGeneration", config), processor)


def mistral3(folder: Path) -> Path:
    """Mistral 3, with the processor of Pixtral: pictures of any size, tokens in brackets."""
    from transformers import (
        Mistral3Config,
        MistralConfig,
        PixtralImageProcessor,
        PixtralProcessor,
        PixtralVisionConfig,
    )

    special = [*SPECIAL, "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[INST]", "[/INST]"]
    tokenizer = byte_tokenizer(special, begins=True)
    processor = PixtralProcessor(
        image_processor=PixtralImageProcessor(
            size={"longest_edge": 56}, patch_size={"height": 14, "width": 14}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        spatial_merge_size=2,
        chat_template=template("[IMG]", "{{- bos_token }}", "[INST]", "[/INST]", reply=""),
    )
    vision = {**vision_config(image_size=56), "head_dim": 32}
    config = Mistral3Config(
        vision_config=PixtralVisionConfig(**vision),
        text_config=MistralConfig(**text_config(len(tokenizer))),
        image_token_index=3,
        spatial_merge_size=2,
    )
    return saved(folder, made("Mistral3ForConditionalGeneration", config), processor)


def video_llava(folder: Path) -> Path:
    """Video-LLaVA: one tower for pictures and another for videos."""
    from transformers import (
        VideoLlavaConfig,
        VideoLlavaImageProcessor,
        VideoLlavaProcessor,
        VideoLlavaVideoProcessor,
    )

    tokenizer = byte_tokenizer([*SPECIAL, "<image>", "<video>"], begins=True)
    sizes = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    processor = VideoLlavaProcessor(
        image_processor=VideoLlavaImageProcessor(**sizes),
        video_processor=VideoLlavaVideoProcessor(**sizes),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template("<image>\n"),
    )
    config = VideoLlavaConfig(
        vision_config=clip_config(),
        text_config=llama_config(tokenizer),
        image_token_index=3,
        video_token_index=4,
        image_seq_length=4,
        video_seq_length=32,
    )
    return saved(folder, made("VideoLlavaForConditionalGeneration", config), processor)


def paligemma(folder: Path) -> Path:
    """PaliGemma: answers prefixes and has no chat template."""
    from transformers import GemmaConfig, PaliGemmaConfig, PaliGemmaProcessor, SiglipImageProcessor

    tokenizer = byte_tokenizer([*SPECIAL, "<image>"])
    pictures = SiglipImageProcessor(size={"height": 28, "width": 28})
    pictures.image_seq_length = 4
    processor = PaliGemmaProcessor(image_processor=pictures, tokenizer=tokenizer)
    config = PaliGemmaConfig(
        vision_config={**vision_config(), "projection_dim": 64},
        text_config=GemmaConfig(**text_config(len(tokenizer), head_dim=32)),
        image_token_index=3,
        projection_dim=64,
        hidden_size=64,
    )
    return saved(folder, made("PaliGemmaForConditionalGeneration", config), processor)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "instructblip": vlm_checkpoints.instructblip,
    "llava_next": tiny_llava,
    "paligemma": paligemma,
    "phi35": vlm_checkpoints.phi35,
    "gemma3": gemma3,
    "idefics3": idefics3,
    "internvl": internvl,
    "llava": llava,
    "llava_video": vlm_checkpoints.llava_video,
    "mistral3": mistral3,
    "mllama": mllama,
    "qwen2_vl": partial(vlm_checkpoints.qwen, version="2"),
    "qwen2_5_vl": partial(vlm_checkpoints.qwen, version="2_5"),
    "smolvlm": vlm_checkpoints.smolvlm2,
    "video_llava": video_llava,
}
PICTURES = sorted({*MAKERS} - {"instructblip", "paligemma", "phi35"})
"""Those that take frames as pictures by a chat template of their own."""
