"""The two lessons of the nano LLaVA as losses: seeing first, then telling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workshop.nano.batches import IGNORED, IMAGE_TOKENS, ROWS, Batch
from workshop.nano.heads import MotionHeads, PatchHeads
from workshop.nano.llava import GRID, WIDTH

# Motion is asked after this many layers of the language model: late enough to have compared the
# images, early enough to leave layers for telling it.
MOTION_LAYER = 2


class Teacher(nn.Module):
    """The model with the heads that teach it."""

    def __init__(self, model: Any) -> None:
        """Put fresh heads on a model."""
        super().__init__()
        self.model = model
        self.patch_heads = PatchHeads(WIDTH)
        self.motion_heads = MotionHeads(WIDTH)

    def seeing(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss of the vision tower alone."""
        loss, notes = self.patch_heads(see(self.model, batch.pixels), batch)
        return loss, notes

    def telling(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss of the whole model: what it tells, and what it sees and compares on the way."""
        seen = see(self.model, batch.pixels)
        seeing_loss, notes = self.patch_heads(seen, batch)
        told = read(self.model, seen, batch.tokens)
        # Both images of every example stand at the same places, for the prompt opens alike.
        second = first_image(self.model, batch.tokens) + IMAGE_TOKENS + 1
        middle = told.hidden_states[MOTION_LAYER][:, second : second + GRID**2]
        motion_loss, motion_notes = self.motion_heads(middle, batch)
        asked = batch.labels[:, 1:] != IGNORED
        logits = self.model.lm_head(told.last_hidden_state[:, :-1][asked])
        truth = batch.labels[:, 1:][asked]
        loss = cross_entropy(logits.float(), truth)
        notes |= motion_notes
        notes["word"] = (logits.argmax(-1) == truth).float().mean().item()
        notes["caption_loss"] = loss.item()
        return loss + seeing_loss + 0.5 * motion_loss, notes


def see(model: Any, pixels: Tensor) -> Tensor:
    """Hidden states of all patches: shape (batch, frames, tiles, 49, width).

    Args:
        model: A nano LLaVA.
        pixels: Tiles of frames, shape (batch, frames, tiles, 3, 112, 112).
    """
    lead = pixels.shape[:3]
    out = model.model.vision_tower(pixels.flatten(0, 2), output_hidden_states=True)
    seen: Tensor = out.hidden_states[-1][:, 1:]
    return seen.reshape(*lead, *seen.shape[1:])


def read(model: Any, seen: Tensor, tokens: Tensor) -> Any:
    """Take frames and words through the language model: its output with all hidden states.

    Args:
        model: A nano LLaVA.
        seen: Of the frames, as `see` gives it.
        tokens: Padded on the right, with a place for every feature of a frame.
    """
    inner = model.model
    features = inner.multi_modal_projector(seen)
    bars = features[:, :, 1].unflatten(2, (GRID, GRID))[:, :, ROWS]
    newline = inner.image_newline.to(bars.dtype).expand(*bars.shape[:3], 1, WIDTH)
    packed = torch.cat([features[:, :, 0], torch.cat([bars, newline], dim=3).flatten(2, 3)], dim=2)
    embedded = inner.language_model.embed_tokens(tokens)
    places = (tokens == model.config.image_token_id)[..., None].expand_as(embedded)
    embedded = embedded.to(packed.dtype).masked_scatter(places, packed)
    # Padding stands on the right, where a causal model cannot see it: no mask is needed.
    return inner.language_model(inputs_embeds=embedded, output_hidden_states=True, use_cache=False)


def first_image(model: Any, tokens: Tensor) -> int:
    """Where the first frame's features begin, which is the same for all that open alike."""
    return int((tokens[0] == model.config.image_token_id).nonzero()[0])
