"""One call of a model's `generate`: texts, token counts and times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from kairos_lib.errors import KairosError
from kairos_lib.vlm import ends
from kairos_lib.vlm.adapter import Generated, Prepared
from kairos_lib.vlm.choosing import Chooser, Choosing
from kairos_lib.vlm.refusals import translating
from kairos_lib.vlm.scores import NO_NUMBERS, Scores


class Lengths(NamedTuple):
    """Minimum and maximum number of new tokens."""

    least: int
    most: int


def generate(
    model: Any,
    tokenizer: Any,
    prepared: Prepared,
    lengths: Lengths,
    beams: int,
    synchronise: Callable[[], None],
    choosing: Choosing | None = None,
) -> Generated:
    """Write one text for each request of a batch.

    Prefill ends and decoding begins when the first scores are there.

    Args:
        model: From transformers, with its `generation_config`.
        tokenizer: The model's tokenizer.
        prepared: The batch, on the model's device.
        lengths: Of each text.
        beams: Texts that are followed at once for each request.
        synchronise: Waits until the device has done all it was asked to.
        choosing: How tokens are chosen, whose probabilities are then noted; needs one beam.

    Raises:
        SceneError: The model refuses the input.
    """
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    scores = Scores(len(prepared.prompt_tokens), synchronise)
    chooser = Chooser(choosing, prepared.numbers) if choosing else None
    synchronise()
    started = time.perf_counter()
    # The model checks that placeholders in the prompt match the pictures.
    with translating(ValueError, KairosError), torch.inference_mode():
        output = model.generate(
            **prepared.inputs,
            max_new_tokens=lengths.most,
            min_new_tokens=lengths.least,
            num_beams=beams,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
            logits_processor=LogitsProcessorList([scores, chooser] if chooser else [scores]),
            stopping_criteria=StoppingCriteriaList([scores.ended]),
        )
    synchronise()
    ended = time.perf_counter()
    written = output[:, prepared.inputs["input_ids"].shape[1] :]
    counts, truncated = _count(model, written, lengths.most)
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    failed = scores.failed(counts)
    rows = zip(written.tolist(), counts, strict=True)
    return Generated(
        texts=tuple("" if bad else t.strip() for t, bad in zip(texts, failed, strict=True)),
        new_tokens=tuple(0 if bad else n for n, bad in zip(counts, failed, strict=True)),
        truncated=tuple(cut and not bad for cut, bad in zip(truncated, failed, strict=True)),
        prefill_s=scores.at - started,
        decode_s=ended - scores.at,
        tokens=tuple(tuple(row[:count]) for row, count in rows) if chooser else (),
        log_probabilities=tuple(chooser.log_probabilities(written, counts)) if chooser else (),
        errors=tuple(NO_NUMBERS if bad else "" for bad in failed),
    )


def _count(model: Any, written: Any, limit: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Tokens of each row including its end token, and whether the limit cut it off."""
    ended = set(ends.listed(model.generation_config.eos_token_id))
    counts, truncated = [], []
    for row in written.tolist():
        stop = next((i for i, token in enumerate(row, start=1) if token in ended), None)
        counts.append(stop or len(row))
        truncated.append(stop is None and len(row) >= limit)
    return tuple(counts), tuple(truncated)
