"""Trains the nano YOLOv8 on frames of the small world: `python -m workshop.nano.train_yolo`.

Takes a quarter of an hour on one CPU core. It can be killed and goes on from its checkpoint. The
architecture and the loss are ultralytics' own; its trainer is not used, for it wants folders of
pictures, and ours are drawn as they are needed.
"""

from __future__ import annotations

import logging
import random
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from kairos_lib.analyzers.objects import set_up_ultralytics
from kairos_lib.nano.world import KINDS
from kairos_lib.weights.location import NANO as SHIPPED
from workshop.nano.sights import IMAGE_WIDTH_PX, Sight, sight
from workshop.nano.training import Lesson, Training, training_options

log = logging.getLogger("kairos.nano")

WEIGHTS = SHIPPED / "yolo" / "yolov8-nano-shapes.pt"
BATCH = 16
# Seeds below this are kept for tests and demo clips.
FIRST_SEED = 3_000_000

# YOLOv8 with half the width of its smallest size, n.
_DEPTH, _WIDTH, _MAX_CHANNELS = 0.33, 0.125, 1024
# ultralytics' own weights of the parts of the loss.
_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}


@click.command()
@training_options("yolo", minutes=11.0, out=WEIGHTS)
def main(minutes: float, work: Path, out: Path, seed: int) -> None:
    """Train the nano YOLOv8, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model().to(device, memory_format=torch.channels_last)
    training = Training(model, [optimizer_for(model)], work / "checkpoint.pt", minutes * 60.0)
    training.resume()
    # A stream of its own for every part of a killed run, or examples would come again.
    rng = random.Random(FIRST_SEED + seed + 7919 * training.step)
    training.run(lessons(model, rng, device))
    save(model, out)
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def build_model() -> Any:
    """A YOLOv8 with random weights and a class for every kind of shape."""
    set_up_ultralytics()
    from ultralytics.nn import tasks

    library: Any = tasks
    layers = library.yaml_model_load("yolov8n.yaml")
    plan = {
        "nc": len(KINDS),
        "depth_multiple": _DEPTH,
        "width_multiple": _WIDTH,
        "max_channels": _MAX_CHANNELS,
        "backbone": layers["backbone"],
        "head": layers["head"],
    }
    model: Any = library.DetectionModel(plan, nc=len(KINDS), verbose=False)
    model.names = dict(enumerate(KINDS))
    model.args = SimpleNamespace(**_GAINS)
    return model


def optimizer_for(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW; what scales or shifts is not pulled to nought."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=2e-3,
    )


def lessons(model: Any, rng: random.Random, device: torch.device) -> Lesson:
    """Lessons in finding shapes in freshly drawn frames."""
    model.train()

    def lesson(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = batch_of([sight(rng) for _ in range(BATCH)], device)
        with torch.autocast(device.type, torch.bfloat16):
            said = model(batch["img"])
        # Places are sums of shares, for which half precision is too coarse.
        exact = {
            name: value.float() if isinstance(value, Tensor) else [part.float() for part in value]
            for name, value in said.items()
        }
        loss, parts = model.loss(batch, exact)
        return loss.sum() / BATCH, {name: value.item() for name, value in parts.items()}

    return lesson


def batch_of(sights: list[Sight], device: torch.device) -> dict[str, Tensor]:
    """Frames and boxes as ultralytics' loss takes them; pixels from 0 to 1, channels first."""
    pixels = torch.from_numpy(np.stack([s.image for s in sights]))
    owners = [np.full(len(s.kinds), index) for index, s in enumerate(sights)]
    return {
        # Permuted and not copied: channels last in memory is what the model is quickest with.
        "img": pixels.to(device).permute(0, 3, 1, 2).float() / 255,
        "batch_idx": torch.from_numpy(np.concatenate(owners)).to(device),
        "cls": torch.from_numpy(np.concatenate([s.kinds for s in sights])).to(device)[:, None],
        "bboxes": torch.from_numpy(np.concatenate([s.boxes for s in sights])).to(device),
    }


def save(model: Any, out: Path) -> None:
    """Write the model as ultralytics' trainer does, in half precision, with no more than needed."""
    from ultralytics import __version__

    kept = deepcopy(model).to("cpu", torch.float16, memory_format=torch.contiguous_format).eval()
    kept.criterion = None
    arguments = {"task": "detect", "mode": "train", "imgsz": IMAGE_WIDTH_PX, **_GAINS}
    kept.args = arguments
    for parameter in kept.parameters():
        parameter.requires_grad = False
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "model": kept,
            "train_args": arguments,
            "version": __version__,
            "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        },
        out,
    )


if __name__ == "__main__":
    main()
