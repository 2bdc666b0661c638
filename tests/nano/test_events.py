"""The spotter's training and its scoring, without its weights: they cost what the rest does not."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from kairos_lib.events.merging import merged, perfect
from kairos_lib.events.windows import grid
from kairos_lib.runs.run import Run
from kairos_lib.vlm.adapter import Adapter, Generated, Prepared, Request
from workshop.nano import make, score_events
from workshop.nano.events_data import Windows, answer_to
from workshop.nano.match_clip import make_match_clip, unseen_seeds
from workshop.nano.muon import Muon, orthogonal
from workshop.nano.plays import draw_match
from workshop.nano.score_events import (
    FIRST,
    Spotted,
    lines_of,
    lines_of_vote,
    spotted_in,
    task,
)
from workshop.nano.scoring import Line
from workshop.nano.train_events import EventTeacher, captioner
from workshop.nano.train_llava import optimizers_for


def test_what_is_learnt_is_what_the_model_itself_would_answer():
    torch.manual_seed(0)
    model, processor = captioner()
    teacher = EventTeacher(model).eval()
    windows = Windows(task(), random.Random(5))
    stretch = windows.draw(2)
    windows.draw = lambda count: stretch  # type: ignore[method-assign]
    batch = windows.batch(processor, 1, 2)
    with torch.no_grad():
        _, notes = teacher.telling(batch)
        losses = []
        for number in range(2):
            frames = [Image.fromarray(f) for f in stretch.frames[number : number + 4]]
            text = processor.tokenizer.decode(batch.tokens[number])
            inputs = processor(images=frames, text=[_folded(text)], return_tensors="pt")
            assert inputs["input_ids"][0].tolist() == batch.tokens[number].tolist()
            out = model(**inputs, labels=batch.labels[number : number + 1])
            count = int((batch.labels[number] != -100).sum())
            losses.append(out.loss.item() * count)
    assert notes["answer"] == pytest.approx(sum(losses) / 2, rel=0.02)


def _folded(text: str) -> str:
    """A prompt with one place for each frame, as the processor wants it."""
    first, *others = text.split("\n")
    return "\n".join([first.split("<image>")[0] + "<image>", *(
        "<image>" if part.startswith("<image>") else part for part in others
    )])  # fmt: skip


def test_a_few_steps_make_a_window_better_known():
    torch.manual_seed(0)
    model, processor = captioner()
    teacher = EventTeacher(model)
    batch = Windows(task(), random.Random(6)).batch(processor, 1, 1)
    optimizers = optimizers_for(teacher, Muon, 0.6)
    losses = []
    for _ in range(3):
        loss, _ = teacher.telling(batch)
        losses.append(loss.item())
        torch.autograd.backward(loss)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert losses[-1] < 0.9 * losses[0]


def test_a_step_of_muon_goes_as_far_in_all_directions():
    for shape in ((6, 10), (10, 6)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(*shape)))
        assert values.min() > 0.6
        assert values.max() < 1.3


class Seer(Adapter):
    """Knows the match, and says of each window what is right; the engine does all the rest."""

    version = 1

    def __init__(self, seed: int, duration_s: float) -> None:
        self.match = draw_match(seed, duration_s)

    def load(self) -> None:
        raise AssertionError("it is given, and not loaded")

    def prepare(self, requests: list[Request]) -> Prepared:
        return Prepared(requests, (10,) * len(requests), (4,) * len(requests))

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        requests: list[Request] = prepared.inputs
        texts = tuple(answer_to(self.match, list(r.frame_times_s)) for r in requests)
        return Generated(texts, (1,) * len(texts), (False,) * len(texts), 0.001, 0.002)

    def tokens_of(self, tokens: Sequence[int], characters: tuple[int, int]) -> range:
        return range(*characters)


def test_a_spotter_without_fault_gets_full_marks(tmp_path: Path):
    (seed,) = unseen_seeds(1)
    clip = tmp_path / "match.mp4"
    make_match_clip(draw_match(seed, 40.0), clip)
    done = spotted_in(clip, 40.0, Seer(seed, 40.0), Run(tmp_path / "run", {"clip": clip.name}))
    assert done.outcomes.keys() == {"event", "no event"}
    f1, tight, *_ = lines_of([done])
    assert f1.value == 1.0
    assert not f1.missed
    labels = {event.label for event in done.truth}
    # A label that never happens counts as none found.
    assert tight.value == pytest.approx(len(labels) / 4)


def test_a_spotter_that_sees_nothing_misses_the_targets():
    truth = draw_match(unseen_seeds(1)[0], 120.0).events
    best = merged(perfect(truth, grid(120.0, task().windows)), task())
    silent = Spotted(truth, [], [*best], Counter({"no event": 120}))
    f1, tight, at_best, read, *_ = lines_of([silent])
    assert (f1.value, tight.value, read.value) == (0.0, 0.0, 1.0)
    assert f1.missed
    assert tight.missed
    assert at_best.value == 1.0


def test_a_vote_has_to_be_better_than_each_of_its_voters():
    truth = draw_match(unseen_seeds(1)[0], 120.0).events
    best = [*merged(perfect(truth, grid(120.0, task().windows)), task())]

    def vote_of(first: slice, second: slice) -> dict[str, Line]:
        runs = {
            name: [Spotted(truth, best[part], best, Counter({"event": 1}))]
            for name, part in ((FIRST, first), ("another training", second))
        }
        return {line.measure: line for line in lines_of_vote(runs)}

    half = len(best) // 2
    apart = vote_of(slice(half), slice(half, None))
    assert apart["F1 within 5 s: by vote"].value == 1.0
    assert not apart["F1 within 5 s: by vote"].missed
    alone = apart["F1 within 5 s: another training"].value
    assert alone == pytest.approx(2 * (len(best) - half) / (2 * len(best) - half))
    alike = vote_of(slice(half), slice(half))
    assert alike["F1 within 5 s: by vote"].missed
    assert alike["tight average-mAP: by vote"].missed


def test_without_weights_events_are_not_scored(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(score_events, "WEIGHTS", tmp_path / "none")
    assert score_events.lines() == []


def test_the_spotter_is_trained_after_the_captioner_it_starts_from():
    names = make.scripts()
    assert names.index("train_events") > names.index("train_llava")
