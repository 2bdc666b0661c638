"""Tiny checkpoints of every family of models, with random weights and the true architecture.

They say nonsense, but are saved and loaded exactly as the real ones are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers.checkpoints import byte_tokenizer

SEED = 0
DECIDED = 0.2
"""Initialised this widely, random weights have no near ties between tokens."""


def text_config(size: int, **more: Any) -> dict[str, Any]:
    """Settings of a small language model with so many tokens."""
    return {
        "vocab_size": size,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": DECIDED,
        **more,
    }


def vision_config(**more: Any) -> dict[str, Any]:
    """Settings of a small vision tower."""
    return {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
        **more,
    }


def saved(folder: Path, model: Any, processor: Any) -> Path:
    """Write a checkpoint as the real ones are."""
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _template(image: str, video: str) -> str:
    return (
        "{% for message in messages %}USER: {% for part in message['content'] %}"
        f"{{% if part['type'] == 'image' %}}{image}{{% elif part['type'] == 'video' %}}{video}"
        "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
    )


def llava_video(folder: Path) -> Path:
    """LLaVA-NeXT-Video."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextImageProcessor,
        LlavaNextVideoConfig,
        LlavaNextVideoForConditionalGeneration,
        LlavaNextVideoProcessor,
        LlavaNextVideoVideoProcessor,
    )

    tokenizer = byte_tokenizer(["<pad>", "<s>", "</s>", "<image>", "<video>"])
    crop = {"height": 28, "width": 28}
    processor = LlavaNextVideoProcessor(
        video_processor=LlavaNextVideoVideoProcessor(size={"shortest_edge": 28}, crop_size=crop),
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": 28}, crop_size=crop, image_grid_pinpoints=[[28, 56], [56, 28]]
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("<image>", "<video>"),
    )
    torch.manual_seed(SEED)
    model = LlavaNextVideoForConditionalGeneration(
        LlavaNextVideoConfig(
            vision_config=CLIPVisionConfig(**vision_config()),
            text_config=LlamaConfig(**text_config(len(tokenizer))),
            image_token_index=3,
            video_token_index=4,
            image_grid_pinpoints=[[28, 56], [56, 28]],
        )
    )
    return saved(folder, model, processor)


def smolvlm2(folder: Path) -> Path:
    """SmolVLM2."""
    import torch
    from transformers import (
        LlamaConfig,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    special = ["<pad>", "<s>", "</s>", "<image>", "<video>", "<fake_token_around_image>"]
    special += ["<global-img>", "<end_of_utterance>"]
    special += [f"<row_{r}_col_{c}>" for r in range(1, 3) for c in range(1, 3)]
    tokenizer = byte_tokenizer(special)
    processor = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(
            size={"longest_edge": 28}, max_image_size={"longest_edge": 28}
        ),
        video_processor=SmolVLMVideoProcessor(
            size={"longest_edge": 28}, max_image_size={"longest_edge": 28}
        ),
        tokenizer=tokenizer,
        image_seq_len=1,
        chat_template=_template("<image>", "<video>"),
    )
    torch.manual_seed(SEED)
    model = SmolVLMForConditionalGeneration(
        SmolVLMConfig(
            vision_config=vision_config(),
            text_config=LlamaConfig(**text_config(len(tokenizer))),
            image_token_id=3,
            scale_factor=2,
            pad_token_id=0,
        )
    )
    return saved(folder, model, processor)


def qwen(folder: Path, version: str) -> Path:
    """Qwen2-VL or, with version `2_5`, Qwen2.5-VL."""
    import torch
    import transformers

    special = ["<pad>", "<s>", "</s>", "<|image_pad|>", "<|video_pad|>"]
    special += ["<|vision_start|>", "<|vision_end|>"]
    tokenizer = byte_tokenizer(special)
    sizes = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    name = "Qwen2_5_VL" if version == "2_5" else "Qwen2VL"
    processor = getattr(transformers, f"{name}Processor")(
        image_processor=transformers.Qwen2VLImageProcessor(**sizes),
        video_processor=transformers.Qwen2VLVideoProcessor(**sizes),
        tokenizer=tokenizer,
        chat_template=_template(
            "<|vision_start|><|image_pad|><|vision_end|>",
            "<|vision_start|><|video_pad|><|vision_end|>",
        ),
    )
    head = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
    text = text_config(len(tokenizer), rope_parameters=head)
    vision = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}
    if version == "2_5":
        vision |= {"hidden_size": 64, "intermediate_size": 148, "out_hidden_size": 64}
        vision |= {"fullatt_block_indexes": [1], "window_size": 56}
    else:
        vision |= {"embed_dim": 64, "hidden_size": 64, "mlp_ratio": 2}
    config = getattr(transformers, f"{name}Config")(
        vision_config=vision,
        text_config=text,
        image_token_id=3,
        video_token_id=4,
        vision_start_token_id=5,
        vision_end_token_id=6,
    )
    torch.manual_seed(SEED)
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    return saved(folder, model, processor)


def instructblip(folder: Path) -> Path:
    """InstructBLIP with a Llama, as the Vicuna one."""
    import torch
    from transformers import (
        BlipImageProcessor,
        InstructBlipConfig,
        InstructBlipForConditionalGeneration,
        InstructBlipProcessor,
        LlamaConfig,
    )

    tokenizer = byte_tokenizer(["<pad>", "<s>", "</s>", "<image>"])
    tokenizer.model_max_length = 2048
    asker = byte_tokenizer(["<pad>", "<s>", "</s>"])
    asker.model_max_length = 512
    processor = InstructBlipProcessor(
        image_processor=BlipImageProcessor(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        qformer_tokenizer=asker,
        num_query_tokens=4,
    )
    torch.manual_seed(SEED)
    config = InstructBlipConfig(
        vision_config=vision_config(initializer_range=DECIDED),
        qformer_config={
            "vocab_size": len(asker),
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "encoder_hidden_size": 64,
            "max_position_embeddings": 512,
            "initializer_range": DECIDED,
        },
        text_config=LlamaConfig(**text_config(len(processor.tokenizer))).to_dict(),
        num_query_tokens=4,
        image_token_index=3,
    )
    model = InstructBlipForConditionalGeneration(config)
    # Zeros before they are trained, which ask all pictures the same.
    torch.nn.init.normal_(model.query_tokens)
    torch.nn.init.normal_(model.language_projection.weight, std=DECIDED)
    return saved(folder, model, processor)


PHI35_CONFIG = {
    "architectures": ["Phi3VForCausalLM"],
    "model_type": "phi3_v",
    "auto_map": {"AutoConfig": "configuration_phi3_v.Phi3VConfig"},
    "max_position_embeddings": 65536,
    "original_max_position_embeddings": 1024,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": {
        "type": "su",
        "short_factor": [1.0 + 0.05 * i for i in range(8)],
        "long_factor": [1.2 * 1.5**i for i in range(8)],
    },
    "sliding_window": 262144,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "embd_layer": {
        "embedding_cls": "image",
        "hd_transform_order": "sub_glb",
        "projection_cls": "mlp",
        "use_hd_transform": True,
        "with_learnable_separator": True,
    },
    "img_processor": {"name": "clip_vision_model", "image_dim_out": 64, "num_img_tokens": 144},
}
PHI35_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def phi35(folder: Path) -> Path:
    """Phi-3.5-Vision under the original's names, with what of it is not used."""
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig

    from kairos_lib.vlm.phi35.configuration import read_config
    from kairos_lib.vlm.phi35.modeling import Phi35ForConditionalGeneration

    folder.mkdir(parents=True)
    special = ["<pad>", "<s>", "</s>", "<|end|>", "<|user|>", "<|assistant|>"]
    tokenizer = byte_tokenizer(special, size=32064)
    tokenizer.chat_template = PHI35_TEMPLATE
    tokenizer.save_pretrained(folder)
    text = text_config(32064, num_attention_heads=4, num_key_value_heads=4)
    text["max_position_embeddings"] = PHI35_CONFIG["max_position_embeddings"]
    (folder / "config.json").write_text(json.dumps({**text, **PHI35_CONFIG}))
    vision = CLIPVisionConfig(**vision_config(image_size=336, hidden_act="quick_gelu"))
    (folder / "clip_config.json").write_text(json.dumps(vision.to_dict()))
    torch.manual_seed(SEED)
    model = Phi35ForConditionalGeneration(read_config(folder))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    vision_part = "model.vision_embed_tokens"
    for name in ("glb_GN", "sub_GN"):
        tensors[f"{vision_part}.{name}"] = torch.randn_like(tensors[f"{vision_part}.{name}"])
    layer = f"{vision_part}.img_processor.vision_model.encoder.layers"
    last = vision.num_hidden_layers - 1
    tensors |= {
        name.replace(f"{layer}.0.", f"{layer}.{last}."): tensor.clone()
        for name, tensor in tensors.items()
        if name.startswith(f"{layer}.0.")
    }
    tensors[f"{vision_part}.wte.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
