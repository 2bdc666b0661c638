"""The network: CLIP's vision tower, the merging of its features, and Phi-3's decoder.

Knows nothing of files. Parameters have the original checkpoint's names, so that transformers'
`from_pretrained` loads it as it is, quantised or placed on several devices like any model.

If a text grows past LongRoPE's boundary (4,096 tokens for the real model), every position of that
row is rotated by other angles, so that its cached values no longer apply: the cache is discarded
and the whole text is processed once more. Tokens match those that the original writes without a
cache. (With a cache, the original mixes both kinds of angles from there on.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, GenerationMixin, Phi3ForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.phi3.modeling_phi3 import Phi3Model, Phi3PreTrainedModel

from kairos_lib.errors import KairosError
from kairos_lib.vlm.phi35.configuration import Phi35Config
from kairos_lib.vlm.phi35.pictures import CROP_PX, GRID


class LongRope(nn.Module):
    """The angles of rotary position embedding, short or long factors chosen for each row.

    transformers' own chooses once for a whole batch, by its longest row, so that a caption would
    depend on what else is in its batch. Source: Ding et al., "LongRoPE", 2024.
    """

    def __init__(self, config: Phi35Config) -> None:
        super().__init__()
        self._config = config
        self._boundary = config.original_max_position_embeddings
        # Neither parameters nor buffers: created on the device at first use and in float32,
        # whatever dtype the model is cast to.
        self._factors: dict[torch.device, tuple[torch.Tensor, torch.Tensor, float]] = {}

    def forward(
        self, x: torch.Tensor, position_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of shape (rows, positions, head size), of the type of `x`."""
        short, long, scale = self._on(x.device)
        beyond = position_ids.amax(dim=-1)[:, None, None] >= self._boundary
        angles = position_ids[..., None].float() * torch.where(beyond, long, short)
        both = torch.cat((angles, angles), dim=-1)
        return (both.cos() * scale).to(x.dtype), (both.sin() * scale).to(x.dtype)

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, float]:
        if device not in self._factors:
            config: Any = self._config
            if config.rope_parameters["rope_type"] == "longrope":
                make = ROPE_INIT_FUNCTIONS["longrope"]
                short, scale = make(config, device)
                long, _ = make(config, device, seq_len=self._boundary + 1)
            else:
                size = config.hidden_size // config.num_attention_heads
                steps = torch.arange(0, size, 2, device=device).float() / size
                short = long = 1.0 / config.rope_parameters["rope_theta"] ** steps
                scale = 1.0
            self._factors[device] = short, long, scale
        return self._factors[device]


class _Tower(nn.Module):
    """CLIP's vision tower up to the last layer but one, under the original's name."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        # The last layer is never used: it is neither kept nor computed.
        fewer = CLIPVisionConfig.from_dict(
            {**config.to_dict(), "num_hidden_layers": config.num_hidden_layers - 1}
        )
        fewer._attn_implementation = config._attn_implementation
        self.vision_model = CLIPVisionModel(fewer)


class VisionEmbedding(nn.Module):
    """From crops to rows of features as wide as the decoder."""

    def __init__(self, config: Phi35Config) -> None:
        super().__init__()
        width = 4 * config.vision_config.hidden_size
        self.img_processor = _Tower(config.vision_config)
        self.glb_GN = nn.Parameter(torch.zeros(1, 1, width))
        self.sub_GN = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.img_projection = nn.Sequential(
            nn.Linear(width, config.hidden_size),
            nn.GELU(),
            nn.Linear(config.hidden_size, config.hidden_size),
        )

    def forward(self, pixel_values: torch.Tensor, image_sizes: torch.Tensor) -> torch.Tensor:
        """Features of all pictures, one after another.

        Args:
            pixel_values: Shape (pictures, N + 1, 3, 336, 336), from `pictures_of`.
            image_sizes: Shape (pictures, 2): height and width of each mosaic of crops.

        Returns:
            Shape (tokens of all pictures, hidden size).
        """
        grids = [(h // CROP_PX, w // CROP_PX) for h, w in image_sizes.tolist()]
        used = [1 + rows * columns for rows, columns in grids]
        # Entries after the crops are padding; computing them would cost as much for nothing.
        crops = torch.cat([one[:count] for one, count in zip(pixel_values, used, strict=True)])
        tower: Any = self.img_processor.vision_model
        seen = tower(crops.to(self.glb_GN.dtype)).last_hidden_state[:, 1:]
        merged = []
        for grid, features in zip(grids, _by_four(seen).split(used), strict=True):
            whole = self._rows(features[:1], (1, 1))
            local = self._rows(features[1:], grid)
            merged.append(torch.cat([local, self.glb_GN[0], whole]))
        projected: torch.Tensor = self.img_projection(torch.cat(merged))
        return projected

    def _rows(self, features: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """Crops joined into one map, row by row, with a separator after each row.

        Args:
            features: Shape (crops, 12, 12, width).
            grid: Rows and columns of crops.
        """
        rows, columns = grid
        width = features.shape[-1]
        picture = features.reshape(rows, columns, GRID, GRID, width).transpose(1, 2)
        picture = picture.reshape(rows * GRID, columns * GRID, width)
        ends = self.sub_GN[0].expand(rows * GRID, 1, width)
        return torch.cat([picture, ends], dim=1).reshape(-1, width)


def _by_four(features: torch.Tensor) -> torch.Tensor:
    """Each 2×2 neighbours side by side: (crops, 576, width) to (crops, 12, 12, 4 × width)."""
    crops, _, width = features.shape
    squares = features.reshape(crops, GRID, 2, GRID, 2, width)
    return squares.permute(0, 1, 3, 2, 4, 5).reshape(crops, GRID, GRID, 4 * width)


class Phi35Model(Phi3Model):
    """Phi-3's decoder with the vision embedding beside the word embedding."""

    config_class = Phi35Config

    def __init__(self, config: Phi35Config) -> None:
        super().__init__(config)
        self.vision_embed_tokens = VisionEmbedding(config)
        self.rotary_emb: Any = LongRope(config)


class Phi35ForConditionalGeneration(Phi3ForCausalLM):
    """Phi-3.5-Vision: pictures and words in, words out."""

    config_class = Phi35Config
    _no_split_modules = ["Phi3DecoderLayer", "CLIPEncoderLayer"]  # noqa: RUF012

    def __init__(self, config: Phi35Config) -> None:
        Phi3PreTrainedModel.__init__(self, config)
        self.model = Phi35Model(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        # The tied word embedding, and CLIP's last layer; anything else gives a warning.
        unused = config.vision_config.num_hidden_layers - 1
        self._keys_to_ignore_on_load_unexpected = [
            r"vision_embed_tokens\.wte\.weight",
            rf"img_processor\.vision_model\.encoder\.layers\.{unused}\.",
        ]
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Phi-3's forward; the rows of `image_token_id` are filled with the pictures' features.

        Args:
            input_ids: Shape (rows, positions).
            attention_mask: Same shape; 0 where a row is padded.
            position_ids: Same shape; counted from 0 if not given.
            past_key_values: The cache.
            inputs_embeds: Replaces `input_ids`, with the pictures' features included.
            use_cache: Whether to fill a cache.
            logits_to_keep: How many of the last positions are scored; 0 for all.
            pixel_values: Pictures of all rows in order, from `pictures_of`.
            image_sizes: Same order.
            kwargs: Further arguments of Phi-3's own.

        Raises:
            KairosError: The pictures' tokens do not match the number of placeholders.
        """
        if inputs_embeds is None:
            inputs_embeds = self.model.embed_tokens(input_ids)
            if pixel_values is not None:
                inputs_embeds = self._filled(input_ids, inputs_embeds, pixel_values, image_sizes)
        return super().forward(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )

    def _filled(
        self,
        input_ids: Any,
        inputs_embeds: torch.Tensor,
        pixel_values: torch.Tensor,
        image_sizes: Any,
    ) -> torch.Tensor:
        features = self.model.vision_embed_tokens(pixel_values, image_sizes)
        places = input_ids == self.config.image_token_id
        if int(places.sum()) != len(features):
            raise KairosError(
                f"the prompts hold {int(places.sum())} image tokens, and their pictures take "
                f"{len(features)}"
            )
        features = features.to(inputs_embeds.device, inputs_embeds.dtype)
        return inputs_embeds.masked_scatter(places[..., None], features)

    def prepare_inputs_for_generation(  # type: ignore[override]
        self,
        input_ids: torch.Tensor,
        past_key_values: Any = None,
        attention_mask: Any = None,
        next_sequence_length: int | None = None,
        is_first_iteration: bool | None = False,
        pixel_values: Any = None,
        image_sizes: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inputs of the next step: one token, or everything if the cache no longer applies."""
        anew = past_key_values is not None and self._crosses(input_ids, attention_mask)
        if anew:
            past_key_values, next_sequence_length = None, None
        # Phi-3's own would discard the cache by the batch's length, padding included.
        general: Any = GenerationMixin.prepare_inputs_for_generation
        inputs: dict[str, Any] = general(
            self,
            input_ids,
            next_sequence_length=next_sequence_length,
            past_key_values=past_key_values,
            attention_mask=attention_mask,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )
        if is_first_iteration or anew or not kwargs.get("use_cache", True):
            inputs |= {"pixel_values": pixel_values, "image_sizes": image_sizes}
        return inputs

    def _crosses(self, input_ids: torch.Tensor, attention_mask: Any) -> bool:
        """Whether a row has just become longer than the boundary with its newest token."""
        boundary = self.config.original_max_position_embeddings
        # Avoids waiting for the device at every step.
        if input_ids.shape[1] <= boundary:
            return False
        if attention_mask is None:  # In transformers this means that nothing is padded.
            return input_ids.shape[1] == boundary + 1
        return bool((attention_mask.sum(dim=-1) == boundary + 1).any())
