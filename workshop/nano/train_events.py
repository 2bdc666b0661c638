"""Trains the nano captioner to spot events of matches: `python -m workshop.nano.train_events`.

Starts from the captioner's weights, which have to be there. Made for forty minutes on two CPU
cores, or a GPU where there is one; can be killed at any time and goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from kairos_lib.parameters.loading import load
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.project import Project
from kairos_lib.weights.location import NANO
from workshop.nano.batches import IGNORED, IMAGE_TOKENS
from workshop.nano.events_data import FIRST_SEED, NOTHING, PATCH_SIGHTS, EventBatch, Windows
from workshop.nano.lessons import first_image, read, see
from workshop.nano.llava import WEIGHTS as CAPTIONER
from workshop.nano.llava import WIDTH
from workshop.nano.muon import Muon
from workshop.nano.train_llava import optimizers_for, save
from workshop.nano.training import Lesson, Training, drawn_ahead, training_options

log = logging.getLogger("kairos.nano")

WEIGHTS = NANO / "nano-events"
TASK = "nano"
# The share of the time that goes to the vision tower alone, at first.
SEEING_SHARE = 0.25
# A step: stretches of a match, and windows in each. Neighbours share frames, which are seen once.
STRETCHES = 4
WINDOWS = 4
# Of the captioner's learning rates: much of what it can is of use.
LEARNING_SHARE = 0.6
# What a frame shows is asked after this many layers of the language model, which leaves some for
# telling which frame is the first.
FRAME_LAYER = 2
# Few patches show anything.
_SHOWN_WEIGHT = 8.0
_PATCH_WEIGHT = 2.0
_FRAME_WEIGHT = 0.5


class EventTeacher(nn.Module):
    """The model with heads that ask what its patches and frames show; they are thrown away."""

    def __init__(self, model: Any) -> None:
        """Put fresh heads on a model."""
        super().__init__()
        self.model = model
        self.patch_norm, self.patch_head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, PATCH_SIGHTS)
        self.frame_norm, self.frame_head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, NOTHING + 1)

    def seeing(self, batch: EventBatch) -> tuple[Tensor, dict[str, float]]:
        """The loss of the vision tower alone."""
        return self._seen(batch)[1:]

    def telling(self, batch: EventBatch) -> tuple[Tensor, dict[str, float]]:
        """The loss of the answers, and of what is seen on the way to them."""
        seen, patch_loss, notes = self._seen(batch)
        each = len(batch.tokens) // len(seen)
        count = seen.shape[1] - each + 1
        told = read(self.model, _windows(seen, each), batch.tokens)
        # The line end behind a frame's features is the first that can know all of the frame.
        first = first_image(self.model, batch.tokens)
        ends = [first + IMAGE_TOKENS + number * (IMAGE_TOKENS + 1) for number in range(count)]
        frames = self.frame_head(self.frame_norm(told.hidden_states[FRAME_LAYER][:, ends].float()))
        sights = _windows(batch.sights, each)
        frame_loss = cross_entropy(frames.flatten(0, 1), sights.flatten())
        asked = batch.labels[:, 1:] != IGNORED
        logits = self.model.lm_head(told.last_hidden_state[:, :-1][asked]).float()
        truth = batch.labels[:, 1:][asked]
        # Most of an answer is the same in all: its sum is not made small by what is known.
        answer_loss = cross_entropy(logits, truth, reduction="sum") / len(batch.tokens)
        notes |= {
            "answer": answer_loss.item(),
            "right": _share_right(logits, truth, asked),
            "frames": (frames.argmax(-1) == sights).float().mean().item(),
        }
        return answer_loss + patch_loss + _FRAME_WEIGHT * frame_loss, notes

    def _seen(self, batch: EventBatch) -> tuple[Tensor, Tensor, dict[str, float]]:
        seen = see(self.model, batch.pixels)
        patches = self.patch_head(self.patch_norm(seen.float()))
        weight = torch.tensor(_SHOWN_WEIGHT, device=patches.device)
        loss = binary_cross_entropy_with_logits(patches, batch.patches, pos_weight=weight)
        return seen, _PATCH_WEIGHT * loss, {"patches": loss.item()}


def _windows(of_frames: Tensor, each: int) -> Tensor:
    """What is known of frames, window by window: from (stretches, frames, ...) to (windows, ...).

    Args:
        of_frames: Of all frames of some stretches.
        each: Windows in a stretch.
    """
    count = of_frames.shape[1] - each + 1
    parts = [of_frames[:, first : first + count] for first in range(each)]
    return torch.stack(parts, dim=1).flatten(0, 1)


@click.command()
@training_options("events", minutes=40.0, out=WEIGHTS)
def main(minutes: float, work: Path, out: Path, seed: int) -> None:
    """Train the nano spotter, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, processor = captioner()
    teacher = EventTeacher(model).to(device)
    optimizers = optimizers_for(teacher, Muon, LEARNING_SHARE)
    training = Training(teacher, optimizers, work / "checkpoint.pt", minutes * 60.0)
    training.resume()
    # A stream of its own for every part of a killed run, or windows would come again.
    rng = random.Random(FIRST_SEED + seed + 7919 * training.step)
    training.run(lessons(teacher, processor, rng, device))
    save(teacher.model, processor, out)
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def captioner() -> tuple[Any, Any]:
    """The model to start from, in float32, and its processor."""
    import transformers

    # Typed in part and not in whole; here the classes are taken as they come.
    library: Any = transformers
    model = library.LlavaNextForConditionalGeneration.from_pretrained(
        CAPTIONER, dtype=torch.float32, trust_remote_code=False
    )
    return model.train(), library.LlavaNextProcessor.from_pretrained(
        CAPTIONER, trust_remote_code=False
    )


def lessons(
    teacher: EventTeacher, processor: Any, rng: random.Random, device: torch.device
) -> Lesson:
    """Lessons in seeing first, then in telling."""
    spotting = load(Project.find(), Spotting, TASK)

    def drawn(stretches: int, windows: int) -> Iterator[EventBatch]:
        source = Windows(spotting, random.Random(rng.getrandbits(64)))
        return drawn_ahead(lambda: source.batch(processor, stretches, windows))

    alone, together = drawn(STRETCHES * WINDOWS, 1), drawn(STRETCHES, WINDOWS)

    def lesson(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        seeing = progress < SEEING_SHARE
        batch = next(alone if seeing else together).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=_quick_in_half(device)):
            return teacher.seeing(batch) if seeing else teacher.telling(batch)

    return lesson


def _quick_in_half(device: torch.device) -> bool:
    """Whether bfloat16 saves time: a processor that has to imitate it takes seven times as long."""
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()


def _share_right(logits: Tensor, truth: Tensor, asked: Tensor) -> float:
    """The share of answers of which every token is the likeliest."""
    wrong = torch.zeros_like(asked, dtype=torch.float)
    wrong[asked] = (logits.argmax(-1) != truth).float()
    return (wrong.sum(1) == 0).float().mean().item()


if __name__ == "__main__":
    main()
