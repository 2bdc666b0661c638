"""Trains the nano Whisper on spoken sentences: `python -m workshop.nano.train_whisper`.

Works on one CPU core in about half an hour, and needs espeak-ng. It can be killed at any time and
goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import torch
from torch import Tensor

from workshop.nano.hearing import Batch, Collator, Listener
from workshop.nano.training import Lesson, Training, training_options
from workshop.nano.utterances import Utterances, make, pronunciations
from workshop.nano.whisper import WEIGHTS, Tokens, build_model, build_tokenizer, save
from workshop.nano.windows import draw

log = logging.getLogger("kairos.nano")

# The share of the time for windows of one sentence alone, at first.
SHORT_SHARE = 0.4
# Windows a step, of one sentence and of several.
SHORT_BATCH = 24
LONG_BATCH = 10
# One in so many batches is of several sentences after that.
LONG_EVERY = 2


@click.command()
@training_options("whisper", minutes=30.0, out=WEIGHTS)
@click.option("--sentences", default=10_000, show_default=True, help="How many to speak.")
@click.option("--threads", default=1, show_default=True, help="CPU cores to train on.")
def main(minutes: float, sentences: int, threads: int, work: Path, out: Path, seed: int) -> None:
    """Train the nano Whisper, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    utterances = make(work / "utterances", sentences, seed)
    log.info("%d sentences to learn from", len(utterances.texts))
    tokenizer = build_tokenizer()
    tokens = Tokens.of(tokenizer)
    collator = Collator(tokens, pronunciations())
    listener = Listener(build_model(tokenizer), tokens, collator.classes)
    training = Training(listener, [optimizer_for(listener)], work / "checkpoint.pt", minutes * 60.0)
    training.resume()
    # A stream of its own for every part of a killed run, or windows would come again.
    rng = random.Random(seed + 7919 * training.step)
    training.run(lessons(listener, collator, utterances, rng))
    save(listener.model, tokenizer, out, work / "transformers")
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def optimizer_for(listener: Listener) -> torch.optim.Optimizer:
    """AdamW on everything that learns."""
    learning = [parameter for parameter in listener.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(learning, lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.01)


def lessons(
    listener: Listener, collator: Collator, utterances: Utterances, rng: random.Random
) -> Lesson:
    """Lessons on single sentences first, then with several between."""
    short = _prefetched(collator, utterances, rng, short=True)
    long = _prefetched(collator, utterances, rng, short=False)

    def lesson(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        several = progress >= SHORT_SHARE and step % LONG_EVERY == 0
        return listener.learn(next(long if several else short))

    return lesson


def _prefetched(
    collator: Collator, utterances: Utterances, rng: random.Random, short: bool
) -> Iterator[Batch]:
    """Batches without end, each drawn while the one before is learnt from."""
    own = random.Random(rng.getrandbits(64))

    def drawn() -> Batch:
        count = SHORT_BATCH if short else LONG_BATCH
        return collator.batch([draw(utterances, own, short) for _ in range(count)], own)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(drawn)
        while True:
            batch = coming.result()
            coming = pool.submit(drawn)
            yield batch


if __name__ == "__main__":
    main()
