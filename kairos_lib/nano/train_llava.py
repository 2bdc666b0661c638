"""Trains the nano LLaVA on frames of the small world: `python -m kairos_lib.nano.train_llava`.

Works on two CPU cores in under half an hour, and on a GPU where there is one. It can be killed at
any time and goes on from its last checkpoint. Needs torch 2.9 or newer, for its Muon optimizer.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from kairos_lib.nano.batches import Batch, batch_of
from kairos_lib.nano.lessons import Teacher
from kairos_lib.nano.llava import WEIGHTS, build_model, build_processor

log = logging.getLogger("kairos.nano")

# The share of the time that goes to the vision tower alone.
SEEING_SHARE = 0.2
# An image costs far less in that first lesson than in the second.
SEEING_BATCH = 16
TELLING_BATCH = 16
CHECKPOINT_EVERY_S = 60.0
# Seeds below this are kept for tests and demo clips.
FIRST_SEED = 1_000_000


@click.command()
@click.option("--minutes", default=25.0, show_default=True, help="Time to train for, in all.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("build/nano/llava"),
    show_default=True,
    help="Folder of the checkpoint to go on from.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=WEIGHTS,
    show_default=True,
    help="Folder to write the trained model to.",
)
@click.option("--seed", default=0, show_default=True)
def main(minutes: float, work: Path, out: Path, seed: int) -> None:
    """Train the nano LLaVA, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    processor = build_processor()
    teacher = Teacher(build_model(processor.tokenizer)).to(device)
    training = Training(teacher, work / "checkpoint.pt", minutes * 60.0, device)
    training.resume()
    training.run(processor, FIRST_SEED + seed)
    save(teacher.model, processor, out)
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def save(model: Any, processor: Any, out: Path) -> None:
    """Write model and processor in the format of any other LLaVA-NeXT, in half precision."""
    out.mkdir(parents=True, exist_ok=True)
    model.to("cpu", torch.float16).save_pretrained(out)
    processor.save_pretrained(out)


class Training:
    """A training with its clock: what was spent is counted over all the parts of a killed run."""

    def __init__(
        self, teacher: Teacher, checkpoint: Path, budget_s: float, device: torch.device
    ) -> None:
        """Prepare a training of `budget_s` seconds whose state is kept at `checkpoint`."""
        self.teacher = teacher
        self.checkpoint = checkpoint
        self.budget_s = budget_s
        self.device = device
        self.spent_s = 0.0
        self.step = 0
        self.optimizers = _optimizers(teacher)

    def resume(self) -> None:
        """Take up the state of the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.teacher.load_state_dict(state["teacher"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.spent_s, self.step = state["spent_s"], state["step"]
        log.info("going on at step %d after %.1f minutes", self.step, self.spent_s / 60)

    def run(self, processor: Any, seed: int) -> None:
        """Train until the time is spent."""
        # A stream of its own for every part of a killed run, or examples would come again.
        batches = _prefetched(processor, random.Random(seed + 7919 * self.step))
        smooth: dict[str, float] = {}
        saved_s = self.spent_s
        while self.spent_s < self.budget_s:
            began = time.perf_counter()
            batch = next(batches).to(self.device)
            seeing = self.spent_s < SEEING_SHARE * self.budget_s
            notes = self._learn(batch, seeing)
            self.spent_s += time.perf_counter() - began
            self.step += 1
            for name, value in notes.items():
                smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
            if self.step % 50 == 0:
                said = " ".join(f"{name} {value:.3f}" for name, value in smooth.items())
                log.info("step %d, %.1f min: %s", self.step, self.spent_s / 60, said)
            if self.spent_s - saved_s > CHECKPOINT_EVERY_S:
                self._save()
                saved_s = self.spent_s
        self._save()

    def _learn(self, batch: Batch, seeing: bool) -> dict[str, float]:
        pace = _pace(self.spent_s / self.budget_s)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * pace * min(1.0, (self.step + 1) / 50)
        with torch.autocast(self.device.type, torch.bfloat16):
            lesson = self.teacher.seeing if seeing else self.teacher.telling
            loss, notes = lesson(batch)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.teacher.parameters(), 2.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item(), **notes}

    def _save(self) -> None:
        state = {
            "teacher": self.teacher.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "spent_s": self.spent_s,
            "step": self.step,
        }
        # Written beside and moved into place: a kill must not leave half a checkpoint.
        draft = self.checkpoint.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(self.checkpoint)


def _pace(progress: float) -> float:
    """The learning rate's factor: full for two thirds of the time, then down to a twentieth."""
    return 1.0 if progress < 0.65 else max(0.05, (1.0 - progress) / 0.35)


def _optimizers(teacher: Teacher) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for everything else."""
    matrices: list[nn.Parameter] = []
    filters: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in teacher.named_parameters():
        inside = ".layers." in name or "projector" in name
        if inside and parameter.ndim == 2:
            matrices.append(parameter)
        else:
            (filters if "patch_embedding" in name else others).append(parameter)
    groups = [
        torch.optim.Muon(matrices, lr=0.015, weight_decay=0.01, momentum=0.95),
        # Filters that start from cosines have little to learn and much to lose.
        torch.optim.AdamW(
            [{"params": filters, "lr": 3e-4}, {"params": others, "lr": 2e-3}],
            betas=(0.9, 0.98),
            weight_decay=0.0,
        ),
    ]
    for optimizer in groups:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return groups


def _prefetched(processor: Any, rng: random.Random) -> Iterator[Batch]:
    """Batches without end, each drawn while the one before is learnt from."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batch_of, processor, rng, TELLING_BATCH)
        while True:
            batch = coming.result()
            coming = pool.submit(batch_of, processor, rng, TELLING_BATCH)
            yield batch


if __name__ == "__main__":
    main()
