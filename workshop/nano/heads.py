"""Extra heads that teach the nano LLaVA what each patch holds. They are not part of its weights.

Captions alone are a thin signal: a dozen words for 146 image tokens. The heads ask every patch of
every image what lies on it, and every patch of the second image how it has moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kairos_lib.nano.world import COLOURS, GROUNDS, KINDS, MAX_SHAPES, MOTIONS, SIZES, TEXTURES

if TYPE_CHECKING:
    from workshop.nano.batches import Batch


class PatchHeads(nn.Module):
    """Asks single image patches what they hold and where it is."""

    def __init__(self, width: int) -> None:
        """Make the heads for hidden states of `width` numbers."""
        super().__init__()
        self.seen = nn.Linear(width, 1 + len(KINDS))
        self.colour = nn.Linear(width, len(COLOURS))
        self.rank = nn.Linear(width, MAX_SHAPES)
        self.place = nn.Linear(width, 3)
        self.ground = nn.Linear(width, len(GROUNDS))
        self.texture = nn.Linear(width, len(TEXTURES))
        self.count = nn.Linear(width, MAX_SHAPES)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Score the patches of all images.

        Args:
            hidden: Hidden states, shape (batch, 2 frames, tiles, 49, width).
            batch: What they should say; its tiles must be those of `hidden`.

        Returns:
            The loss, and for the log the share of shape patches with the right kind and rank.
        """
        hidden = self.norm(hidden.float())
        kind, colour, _, _, rank = batch.classes.unbind(-1)
        shape = kind >= 0
        on = hidden[shape]
        seen = self.seen(hidden)
        weight = torch.ones(1 + len(KINDS), device=hidden.device)
        weight[0] = 0.3
        of_shapes = (
            2 * cross_entropy(seen.flatten(0, -2), (kind + 1).flatten(), weight)
            + cross_entropy(self.colour(on), colour[shape])
            + 0.5 * cross_entropy(self.rank(on), rank[shape])
            + 20 * (self.place(on) - batch.places[..., :3][shape]).square().mean()
        )
        # The field is asked of every patch, so that every patch learns to look around.
        spread = hidden.shape[:-1]
        of_field = 0.3 * sum(
            cross_entropy(
                head(hidden).flatten(0, -2),
                truth.view(-1, *[1] * (len(spread) - 1)).expand(spread).flatten(),
            )
            for head, truth in (
                (self.ground, batch.ground),
                (self.texture, batch.texture),
                (self.count, batch.count),
            )
        )
        kinds_right = (seen[shape].argmax(-1) == kind[shape] + 1).float().mean()
        ranks_right = (self.rank(on).argmax(-1) == rank[shape]).float().mean()
        return of_shapes + of_field, {"kind": kinds_right.item(), "rank": ranks_right.item()}


class MotionHeads(nn.Module):
    """Asks the patches of the second image, inside the language model, how they have moved."""

    def __init__(self, width: int) -> None:
        """Make the heads for hidden states of `width` numbers."""
        super().__init__()
        self.motion = nn.Linear(width, len(MOTIONS))
        self.size = nn.Linear(width, len(SIZES))
        self.way = nn.Linear(width, 3)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Score the base tile of the second image.

        Args:
            hidden: Hidden states, shape (batch, 49, width).
            batch: What they should say.

        Returns:
            The loss, and for the log the share of shape patches with the right motion.
        """
        classes, places = batch.classes[:, 1, 0], batch.places[:, 1, 0]
        shape = classes[..., 0] >= 0
        on = self.norm(hidden.float()[shape])
        motion = self.motion(on)
        loss = (
            cross_entropy(motion, classes[..., 3][shape])
            + cross_entropy(self.size(on), classes[..., 2][shape])
            + 5 * (self.way(on) - places[..., 3:][shape]).square().mean()
        )
        right = (motion.argmax(-1) == classes[..., 3][shape]).float().mean()
        return loss, {"motion": right.item()}
