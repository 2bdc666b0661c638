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
        loss, notes = self.patch_heads(self._see(batch), batch)
        return loss, notes

    def telling(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss of the whole model: what it tells, and what it sees and compares on the way."""
        seen = self._see(batch)
        seeing_loss, notes = self.patch_heads(seen, batch)
        inner = self.model.model
        features = inner.multi_modal_projector(seen)
        bars = features[:, :, 1].unflatten(2, (GRID, GRID))[:, :, ROWS]
        newline = inner.image_newline.to(bars.dtype).expand(*bars.shape[:3], 1, WIDTH)
        packed = torch.cat(
            [features[:, :, 0], torch.cat([bars, newline], dim=3).flatten(2, 3)], dim=2
        )
        embedded = inner.language_model.embed_tokens(batch.tokens)
        image_places = batch.tokens == self.model.config.image_token_id
        embedded = embedded.to(packed.dtype).masked_scatter(
            image_places[..., None].expand_as(embedded), packed
        )
        # Padding stands on the right, where a causal model cannot see it: no mask is needed.
        told = inner.language_model(
            inputs_embeds=embedded, output_hidden_states=True, use_cache=False
        )
        # Both images of every example stand at the same places, for the prompt opens alike.
        second = int(image_places[0].nonzero()[0]) + IMAGE_TOKENS + 1
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

    def _see(self, batch: Batch) -> Tensor:
        """Hidden states of all patches: shape (batch, 2 frames, tiles, 49, width)."""
        lead = batch.pixels.shape[:3]
        out = self.model.model.vision_tower(batch.pixels.flatten(0, 2), output_hidden_states=True)
        seen: Tensor = out.hidden_states[-1][:, 1:]
        return seen.reshape(*lead, *seen.shape[1:])
