"""Trains the nano LLaVA on frames of the small world: `python -m workshop.nano.train_llava`.

Works on two CPU cores in about half an hour, and on a GPU where there is one. It can be killed at
any time and goes on from its last checkpoint. Needs torch 2.9 or newer, for its Muon optimizer.
"""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

from workshop.nano.batches import batch_of
from workshop.nano.lessons import Teacher
from workshop.nano.llava import WEIGHTS, build_model, build_processor
from workshop.nano.training import Lesson, Training, drawn_ahead, training_options

log = logging.getLogger("kairos.nano")

# The share of the time that goes to the vision tower alone, at first.
SEEING_SHARE = 0.2
# Scenes a step.
BATCH = 16
# Seeds below this are kept for tests and demo clips.
FIRST_SEED = 1_000_000


@click.command()
@training_options("llava", minutes=34.0, out=WEIGHTS)
def main(minutes: float, work: Path, out: Path, seed: int) -> None:
    """Train the nano LLaVA, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    processor = build_processor()
    teacher = Teacher(build_model(processor.tokenizer)).to(device)
    training = Training(teacher, optimizers_for(teacher), work / "checkpoint.pt", minutes * 60.0)
    training.resume()
    # A stream of its own for every part of a killed run, or examples would come again.
    rng = random.Random(FIRST_SEED + seed + 7919 * training.step)
    training.run(lessons(teacher, processor, rng, device))
    save(teacher.model, processor, out)
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def lessons(teacher: Teacher, processor: Any, rng: random.Random, device: torch.device) -> Lesson:
    """Lessons in seeing first, then in telling, with seeing between."""
    batches = drawn_ahead(lambda: batch_of(processor, rng, BATCH))

    def lesson(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = next(batches).to(device)
        # Kinds of shapes are learnt last of what is seen, so lessons in seeing, which cost a
        # third of the others, go on between them to the end.
        seeing = progress < SEEING_SHARE or step % 2 == 0
        with torch.autocast(device.type, torch.bfloat16):
            return teacher.seeing(batch) if seeing else teacher.telling(batch)

    return lesson


def optimizers_for(
    teacher: nn.Module, muon: Any = torch.optim.Muon, share: float = 1.0
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for everything else.

    Args:
        teacher: What is trained.
        muon: Which Muon.
        share: Of the learning rates of a training from nothing.
    """
    matrices: list[nn.Parameter] = []
    filters: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in teacher.named_parameters():
        inside = ".layers." in name or "projector" in name
        if inside and parameter.ndim == 2:
            matrices.append(parameter)
        else:
            (filters if "patch_embedding" in name else others).append(parameter)
    return [
        muon(matrices, lr=0.015 * share, weight_decay=0.01, momentum=0.95),
        # Filters that start from cosines have little to learn and much to lose.
        torch.optim.AdamW(
            [{"params": filters, "lr": 3e-4 * share}, {"params": others, "lr": 2e-3 * share}],
            betas=(0.9, 0.98),
            weight_decay=0.0,
        ),
    ]


def save(model: Any, processor: Any, out: Path) -> None:
    """Write model and processor in the format of any other LLaVA-NeXT, in half precision."""
    out.mkdir(parents=True, exist_ok=True)
    model.to("cpu", torch.float16).save_pretrained(out)
    processor.save_pretrained(out)


if __name__ == "__main__":
    main()
