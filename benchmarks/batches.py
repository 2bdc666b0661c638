"""What batches bring: AST and YOLO one at a time, 8 and 32 at once, on each device there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import models
from benchmarks.clips import world_clip
from benchmarks.harness import Comparison, Contender, DisagreementError, Spread, compete
from benchmarks.table import NOT_MEASURED, Page, markdown, rounds_table
from kairos_lib.media import audio
from kairos_lib.media.video import VideoFile

SIZES = (1, 8, 32)
SAME_SCORE = 1e-4
SAME_BOX = 1e-3
WINDOW_S = 5.0
"""About what a scene leaves beside its speech."""
FRAMES_PER_SECOND = 2.0
FEW = 8
"""Items that small batches of a large model are given: it takes seconds for each of them."""

Scores = np.ndarray
"""Of shape (items, ...), or of detections: rows of item, label, score and box."""


@dataclass(frozen=True)
class Subject:
    """One model on one device."""

    name: str
    device: str
    items: Callable[[int], int]
    """How many it is given at a batch size; the results of those given at all sizes are compared.
    """
    same: float
    """How far results of a batch may be from those of one at a time."""
    run: Callable[[int], Scores] | None
    """With a batch size; none where the device is not there."""


def run(
    cache: Path,
    rounds: int,
    command: str,
    say: Callable[[str], None],
    sizes: Sequence[int] = SIZES,
    items: int = 32,
) -> Page:
    """Measure all models on all devices."""
    import torch

    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    page = Page("Batches of AST and YOLO", command, rounds)
    page.add(_preamble(torch.get_num_threads()))
    rows = []
    details = []
    for device in ("cpu", "cuda"):
        there = device == "cpu" or torch.cuda.is_available()
        for subject in _subjects(cache, device, there, items):
            say(f"{subject.name} on {device}")
            if subject.run is None:
                rows.append([subject.name, "GPU", *[NOT_MEASURED] * (len(sizes) + 2)])
                continue
            comparison = _measure(subject, subject.run, rounds, sizes, say)
            rows.append(_row(subject, comparison, sizes))
            details += [f"### {subject.name}, {device}", rounds_table(comparison)]
    header = [
        "", "device", *(f"batch {size}, items/s" for size in sizes),
        f"batch {sizes[-1]} over {sizes[0]}, by round", "n",
    ]  # fmt: skip
    page.add(markdown(header, rows), "## All rounds", *details)
    return page


def _measure(
    subject: Subject,
    work: Callable[[int], Scores],
    rounds: int,
    sizes: Sequence[int],
    say: Callable[[str], None],
) -> Comparison[Scores]:
    contenders = [
        Contender(_name(size), lambda size=size: work(size)) for size in sizes
    ]  # fmt: skip
    return compete(contenders, rounds, lambda results: agree(results, subject.same), say)


def _name(size: int) -> str:
    return f"batch {size}"


def agree(results: Mapping[str, Scores], same: float) -> None:
    """See that every batch size gives what one at a time does.

    Raises:
        DisagreementError: One does not.
    """
    (first, alone), *others = results.items()
    for name, scores in others:
        if scores.shape != alone.shape:
            raise DisagreementError(f"{name} finds another number of things than {first}")
        worst = float(np.abs(scores - alone).max(initial=0.0))
        if worst > same:
            raise DisagreementError(f"scores of {name} and {first} differ by {worst:.1e}")


def _row(subject: Subject, comparison: Comparison[Scores], sizes: Sequence[int]) -> list[str]:
    cells = []
    for size in sizes:
        cells.append(_rates(subject, comparison, size).told())
    one, most = (_rates(subject, comparison, size).values for size in (sizes[0], sizes[-1]))
    gain = Spread(tuple(b / a for a, b in zip(one, most, strict=True))).told()
    return [subject.name, subject.device, *cells, gain, str(comparison.rounds)]


def _rates(subject: Subject, comparison: Comparison[Scores], size: int) -> Spread:
    """Items per second, by round."""
    times = comparison.spread(_name(size)).values
    return Spread(tuple(subject.items(size) / time_s for time_s in times))


def _subjects(cache: Path, device: str, there: bool, items: int) -> list[Subject]:
    def every(size: int) -> int:
        return items

    def few(size: int) -> int:
        return min(items, max(size, FEW))

    makers: list[tuple[str, float, Callable[[int], int], Callable[[], Callable[[int], Scores]]]] = [
        ("AST, nano", SAME_SCORE, every, lambda: _ast(*models.nano_ast(), device, every)),
        (
            "AST, full size, random weights",
            SAME_SCORE,
            few,
            lambda: _ast(*models.full_ast(), device, few),
        ),
        (
            "YOLO, nano, 320 px",
            SAME_BOX,
            every,
            lambda: _yolo(cache, models.nano_yolo(), 320, device, items),
        ),
        (
            "YOLOv8n, full size, random weights, 640 px",
            SAME_BOX,
            every,
            lambda: _yolo(cache, models.full_yolo(cache), 640, device, items),
        ),
    ]
    return [
        Subject(name, device, count, same, make() if there else None)
        for name, same, count, make in makers
    ]


def _ast(
    extractor: Any, model: Any, device: str, items: Callable[[int], int]
) -> Callable[[int], Scores]:
    """From samples to scores, as the stage `sounds` does it; those of the fewest items."""
    import torch

    model = model.to(device).eval()
    windows = _sounds(items(max(SIZES)))

    def run(size: int) -> Scores:
        rows = []
        for at in range(0, items(size), size):
            features = extractor(
                windows[at : min(at + size, items(size))],
                sampling_rate=audio.SAMPLE_RATE_HZ,
                return_tensors="pt",
            )
            with torch.inference_mode():
                logits = model(features["input_values"].to(device)).logits
                rows.append(torch.sigmoid(logits).float().cpu().numpy())
        return np.concatenate(rows)[: items(1)]

    return run


def _sounds(count: int) -> list[np.ndarray]:
    """Windows of the nano world's sounds."""
    from kairos_lib.nano.script import PLAYED_SOUNDS
    from workshop.nano.sound import play
    from workshop.nano.utterances import at_16_khz

    rng = np.random.default_rng(5)
    return [
        at_16_khz(play(PLAYED_SOUNDS[index % len(PLAYED_SOUNDS)], WINDOW_S, rng)).astype(np.float32)
        / 32768
        for index in range(count)
    ]


def _yolo(
    cache: Path, weights: Path, image_px: int, device: str, items: int
) -> Callable[[int], Scores]:
    """From frames to detections, as the stage `objects` does it."""
    from kairos_lib.analyzers.objects import load as load_yolo

    model = load_yolo(str(weights))
    frames = _frames(cache, items)
    _check_raw(model, frames, image_px, device)

    def run(size: int) -> Scores:
        rows: list[list[float]] = []
        for at in range(0, items, size):
            found = model.predict(
                frames[at : at + size], imgsz=image_px, conf=0.35, device=device, verbose=False
            )
            for number, result in enumerate(found, start=at):
                rows += [
                    [number, label, score, *box]
                    for label, score, box in zip(
                        result.boxes.cls.tolist(),
                        result.boxes.conf.tolist(),
                        result.boxes.xyxyn.tolist(),
                        strict=True,
                    )
                ]
        return np.array(rows, dtype=np.float64).reshape(-1, 7)

    return run


def _check_raw(model: Any, frames: list[np.ndarray], image_px: int, device: str) -> None:
    """See that a batch scores as one at a time does, before anything is thrown away.

    Random weights are sure of nothing: all they detect is below any threshold, and lists of
    nothing are always equal.
    """
    import cv2
    import torch

    small = [cv2.resize(frame, (image_px, image_px)) for frame in frames[:4]]
    batch = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float().div(255).to(device)
    net = model.model.float().to(device).eval()
    with torch.inference_mode():
        # Rows 0 to 3 are boxes in pixels, the rest the scores of each class.
        together = net(batch)[0][:, 4:]
        alone = torch.cat([net(one[None])[0][:, 4:] for one in batch])
    worst = float((together - alone).abs().max())
    if worst > SAME_BOX:
        raise DisagreementError(f"raw scores of a batch and of one at a time differ by {worst:.1e}")


def _frames(cache: Path, count: int) -> list[np.ndarray]:
    """Frames of the nano world, 640×360, BGR."""
    clip = world_clip(cache, scenes=6, duration_s=40.0)
    frames = []
    for frame in VideoFile(clip).frames():
        if len(frames) < count and frame.time_s * FRAMES_PER_SECOND >= len(frames):
            frames.append(frame.image(colour="bgr24"))
    return frames


def _preamble(threads: int) -> str:
    return (
        "Items per second, median [range], from samples or pixels to scores: feature extraction, "
        "scaling and what follows the model included; loading and decoding left out. Each round "
        f"takes the same 32 items: windows of {WINDOW_S:g} s of sound, or frames of 640×360; the "
        f"full-size AST, which takes seconds for each, has {FEW} of them one at a time and at "
        f"{FEW} at once. "
        "Before any time is told, every round's results are held against those of one at a time "
        f"(AST: scores within {SAME_SCORE:g}; YOLO: the same boxes, scores and places within "
        f"{SAME_BOX:g}, and the raw scores of all candidates likewise). Random weights say "
        f"nothing, but take the time of trained ones. On the CPU torch uses {threads} threads."
    )
