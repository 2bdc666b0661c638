"""The ball game: what is told of it is what is seen, and what is held out is never learnt from."""

import random
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from transformers import LlavaNextProcessor

from kairos_lib.events.answers import parse
from kairos_lib.events.formats import read_events
from kairos_lib.events.windows import grid
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project
from kairos_lib.vlm.sampling import draw
from workshop.nano import events_data
from workshop.nano.batches import IGNORED
from workshop.nano.events_data import Windows, answer_to, training_seed
from workshop.nano.llava import WEIGHTS
from workshop.nano.match import APART_S, LABELS, OPENING_S, held_out
from workshop.nano.match_clip import (
    DEMO,
    DEMO_SEED,
    DURATION_S,
    FRAMES_PER_SECOND,
    make_match_clip,
    truth_beside,
    unseen_seeds,
)
from workshop.nano.match_frames import Painter, box_of_prop
from workshop.nano.plays import draw_match

CHECKOUT = Project(Path(__file__).resolve().parents[2])


@pytest.fixture(scope="module")
def spotting() -> Spotting:
    return load(CHECKOUT, Spotting, "nano")


def test_the_same_seed_gives_the_same_match_frame_by_frame():
    one, two = draw_match(7, 60.0), draw_match(7, 60.0)
    assert one == two
    assert one != draw_match(8, 60.0)
    for time_s in (0.0, 12.3, one.events[0].time_s, 59.9):
        assert (Painter(one).frame(time_s) == Painter(two).frame(time_s)).all()


def test_the_clip_of_a_match_is_the_same_from_the_same_seed(tmp_path: Path):
    for name in ("one", "two"):
        make_match_clip(draw_match(7, 24.0), tmp_path / f"{name}.mp4")
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    assert one.read_bytes() == two.read_bytes()
    assert truth_beside(one).read_bytes() == truth_beside(two).read_bytes()


def test_events_keep_apart_and_all_labels_come_as_often():
    for seed in range(60):
        events = draw_match(seed, 240.0).events
        assert all(b.time_s - a.time_s >= APART_S for a, b in pairwise(events))
        counts = [sum(event.label == label for event in events) for label in LABELS]
        assert min(counts) >= 3
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_every_event_is_seen_from_its_moment_on_and_not_before(seed: int):
    match = draw_match(seed, 120.0)
    painter = Painter(match)
    for prop, event in zip(match.props, match.events, strict=True):
        assert 1.5 <= prop.end_s - prop.start_s <= 4.0
        left, top, right, bottom = (round(side) for side in box_of_prop(prop, prop.start_s))
        part = np.s_[top : bottom + 1, left : right + 1]
        # At 112 pixels, the event must still cover a few.
        assert (right - left) * (bottom - top) * (112 / 320) ** 2 >= 40, event.label
        before = painter.frame(prop.start_s - 0.02)[part].astype(int)
        for time_s in (prop.start_s, prop.start_s + OPENING_S - 0.01, prop.end_s - 0.01):
            after = painter.frame(time_s)[part].astype(int)
            changed = (np.abs(after - before).max(-1) > 60).mean()
            assert changed > (0.4 if prop.opens(time_s) else 0.08), (event.label, time_s)


def test_exactly_one_frame_is_the_first_to_show_an_event(spotting: Spotting):
    match = draw_match(9, 120.0)
    told = []
    for window in grid(match.duration_s, spotting.windows):
        found = parse(answer_to(match, list(window.times_s)), spotting)
        assert found.outcome in ("event", "no event")
        if found.time_s is not None:
            told.append((found.label, window.start_s + found.time_s))
    assert len(told) == 2 * len(match.events)  # Each moment is in two windows.
    assert len(set(told)) == len(match.events)
    for (label, time_s), event in zip(dict.fromkeys(told), match.events, strict=True):
        assert label == event.label
        assert 0 <= time_s - event.time_s < 1 / spotting.windows.frames_per_second


def test_training_never_draws_a_match_that_is_held_out(spotting: Spotting, monkeypatch):
    rng = random.Random(1)
    seeds = [training_seed(rng) for _ in range(2000)]
    assert not any(map(held_out, seeds))
    assert min(seeds) >= events_data.FIRST_SEED
    assert 0.08 < sum(map(held_out, range(5000))) / 5000 < 0.12
    drawn: list[int] = []

    def noted(seed: int, duration_s: float):
        drawn.append(seed)
        return draw_match(seed, duration_s)

    monkeypatch.setattr(events_data, "draw_match", noted)
    windows = Windows(spotting, random.Random(2))
    for _ in range(40):
        windows.draw(2)
    assert len(drawn) > events_data.POOL
    assert not any(map(held_out, drawn))


def test_what_is_scored_and_shown_is_held_out():
    seeds = unseen_seeds(20)
    assert len(set(seeds)) == 20
    assert all(map(held_out, [*seeds, DEMO_SEED]))
    assert DEMO_SEED not in seeds
    assert max(seeds) < events_data.FIRST_SEED


def test_windows_to_learn_from_are_balanced_and_say_only_what_can_be_read(spotting: Spotting):
    windows = Windows(spotting, random.Random(3))
    drawn = [question for _ in range(100) for question in windows.draw(4).questions]
    said = [parse(question.answer, spotting) for question in drawn]
    assert {one.outcome for one in said} == {"event", "no event"}
    assert 0.4 < sum(one.outcome == "event" for one in said) / len(said) < 0.65
    counts = [sum(one.label == label for one in said) for label in LABELS]
    assert min(counts) > 20
    assert {one.time_s for one in said if one.label} == {0.0, 0.5, 1.0, 1.5}


def test_a_window_is_cut_and_worded_as_the_processor_does_it(spotting: Spotting):
    processor = LlavaNextProcessor.from_pretrained(WEIGHTS)
    windows = Windows(spotting, random.Random(4))
    stretch = windows.draw(2)
    windows.draw = lambda count: stretch  # type: ignore[method-assign]
    batch = windows.batch(processor, 1, 2)
    content = [{"type": "image"}] * 4 + [{"type": "text", "text": spotting.prompt}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    inputs = processor(
        images=[Image.fromarray(frame) for frame in stretch.frames[1:]],
        text=text,
        return_tensors="pt",
    )
    prompt = inputs["input_ids"][0].tolist()
    told = batch.labels[1] != IGNORED
    assert batch.tokens[1][: len(prompt)].tolist() == prompt
    # Where scaling overshoots an edge, it matters when values are cut off to eight bits.
    apart = (batch.pixels[0, 1:] - inputs["pixel_values"]).abs()
    assert apart.mean() < 0.002
    assert apart.max() < 0.2
    assert len(processor.tokenizer(spotting.prompt).input_ids) <= 45
    answer = processor.tokenizer.decode(batch.tokens[1][told], skip_special_tokens=True)
    assert answer.strip() == stretch.questions[1].answer


def test_the_long_demo_match_and_its_truth_agree(spotting: Spotting):
    video = find_video(CHECKOUT, DEMO)
    assert video.events is not None
    truth = read_events(video.events, spotting.labels)
    assert truth == draw_match(DEMO_SEED, DURATION_S).events
    assert {event.label for event in truth} == set(spotting.labels) == set(LABELS)
    assert video.path.stat().st_size <= 512 * 1024 * DURATION_S / 60
    painter = Painter(draw_match(DEMO_SEED, DURATION_S))
    with av.open(str(video.path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert picture.frames == DURATION_S * FRAMES_PER_SECOND
        assert float(sound.duration * sound.time_base) == pytest.approx(DURATION_S, abs=0.05)
        for index, frame in enumerate(container.decode(video=0)):
            if index == 200:
                break
            if index % 40 == 0:
                drawn = painter.frame(float(index / FRAMES_PER_SECOND)).astype(int)
                shown = frame.to_ndarray(format="rgb24").astype(int)
                assert np.abs(drawn - shown).mean() < 6


def test_frames_of_the_long_match_are_just_those_that_windows_ask_for(spotting: Spotting):
    windows = grid(DURATION_S, spotting.windows)[:60]
    video = find_video(CHECKOUT, DEMO).path
    for window, drawn in zip(windows, draw(video, [w.times_s for w in windows], 32), strict=True):
        assert drawn.times_s == pytest.approx(window.times_s, abs=1e-6)


def test_the_long_match_is_known_to_be_drawn():
    assert find_video(Project.find(), "demo-match-long").drawn


def test_the_long_match_makes_no_demo_longer():
    assert DEMO not in load(CHECKOUT, Suite, "demo").videos
