"""A training with a clock and a checkpoint. Knows nothing of what is learnt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from torch import Tensor, nn

log = logging.getLogger("kairos.nano")

Lesson = Callable[[int, float], tuple[Tensor, dict[str, float]]]
"""From the step and the share of the time that is spent: a loss, and numbers for the log."""

CHECKPOINT_EVERY_S = 60.0
_LOG_EVERY = 50
_WARM_UP_STEPS = 50
_GRADIENT_LIMIT = 2.0


Drawn = TypeVar("Drawn")
Command = TypeVar("Command", bound=Callable[..., Any])


def training_options(name: str, minutes: float, out: Path) -> Callable[[Command], Command]:
    """The options that every training script has: `minutes`, `work`, `out` and `seed`.

    Args:
        name: Of the model, for the folder of its checkpoint.
        minutes: How long a training takes by default.
        out: Where the trained model is written by default.
    """
    path = click.Path(path_type=Path)
    work = Path("build/nano") / name
    options = [
        click.option(
            "--minutes", default=minutes, show_default=True, help="Time to train for, in all."
        ),
        click.option(
            "--work", type=path, default=work, show_default=True, help="Folder of the checkpoint."
        ),
        click.option(
            "--out",
            type=path,
            default=out,
            show_default=True,
            help="Where to write the trained model.",
        ),
        click.option("--seed", default=0, show_default=True),
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def drawn_ahead(draw: Callable[[], Drawn]) -> Iterator[Drawn]:
    """What is drawn, without end; each while the one before is learnt from."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw)
        while True:
            drawn = coming.result()
            coming = pool.submit(draw)
            yield drawn


class Training:
    """Trains for a given time, which is counted over all the parts of a killed run.

    Learning rates are full for half of the time and then fall, on a line, to a twentieth.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        checkpoint: Path,
        budget_s: float,
    ) -> None:
        """Prepare a training of `budget_s` seconds whose state is kept at `checkpoint`."""
        self.module = module
        self.optimizers = optimizers
        self.checkpoint = checkpoint
        self.budget_s = budget_s
        self.spent_s = 0.0
        self.step = 0
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["full_lr"] = group["lr"]

    def resume(self) -> None:
        """Take up the state of the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        device = next(self.module.parameters()).device
        state = torch.load(self.checkpoint, map_location=device, weights_only=True)
        self.module.load_state_dict(state["module"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.spent_s, self.step = state["spent_s"], state["step"]
        log.info("going on at step %d after %.1f minutes", self.step, self.spent_s / 60)

    def run(self, lesson: Lesson) -> None:
        """Learn lessons until the time is spent."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        smooth: dict[str, float] = {}
        saved_s = self.spent_s
        while self.spent_s < self.budget_s:
            began_s = time.perf_counter()
            notes = self._learn(lesson)
            self.spent_s += time.perf_counter() - began_s
            self.step += 1
            for name, value in notes.items():
                smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
            if self.step % _LOG_EVERY == 0:
                said = " ".join(f"{name} {value:.3f}" for name, value in smooth.items())
                log.info("step %d, %.1f min: %s", self.step, self.spent_s / 60, said)
            if self.spent_s - saved_s > CHECKPOINT_EVERY_S:
                self._save()
                saved_s = self.spent_s
        self._save()

    def _learn(self, lesson: Lesson) -> dict[str, float]:
        progress = self.spent_s / self.budget_s
        pace = min(1.0, max(0.05, 2.0 - 2.0 * progress), (self.step + 1) / _WARM_UP_STEPS)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * pace
        loss, notes = lesson(self.step, progress)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.module.parameters(), _GRADIENT_LIMIT)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item(), **notes}

    def _save(self) -> None:
        state = {
            "module": self.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "spent_s": self.spent_s,
            "step": self.step,
        }
        # Written beside and moved into place: a kill must not leave half a checkpoint.
        draft = self.checkpoint.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(self.checkpoint)
