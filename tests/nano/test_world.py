import random
from itertools import pairwise

import numpy as np
import pytest

from kairos_lib.nano.captions import HEARD
from kairos_lib.nano.narration import first_mention, sentence, vocabulary
from kairos_lib.nano.script import random_script
from kairos_lib.nano.staging import FLOOR_PX, NoRoomError, stage
from kairos_lib.nano.world import (
    FPS,
    HEIGHT_PX,
    STYLES,
    WIDTH_PX,
    Field,
    Scene,
    Shape,
    random_scene,
)
from workshop.nano.render import box_of, paint_field, paint_frame
from workshop.nano.sound import SAMPLE_RATE_HZ, play


def staged(seed: int):
    rng = random.Random(seed)
    while True:
        try:
            return stage(random_scene(rng), rng)
        except NoRoomError:
            continue


@pytest.mark.parametrize("seed", range(20))
def test_shapes_start_in_order_and_never_leave_the_frame(seed: int):
    actors = staged(seed)
    assert all(a.start.x_px < b.start.x_px for a, b in pairwise(actors))
    for actor in actors:
        for progress in (0.0, 0.5, 1.0):
            left, top, right, bottom = actor.pose(progress).box
            assert left >= 0
            assert top >= 0
            assert right <= WIDTH_PX
            assert bottom <= FLOOR_PX


def test_shapes_that_cannot_fit_are_refused():
    giants = tuple(Shape("circle", c, "large", "grows") for c in ("red", "white", "black"))
    with pytest.raises(NoRoomError, match="no room"):
        stage(Scene(giants, Field("green")), random.Random(0), tries=50)


@pytest.mark.parametrize("seed", range(8))
def test_a_box_holds_its_shape_and_nothing_of_the_shape_lies_outside(seed: int):
    rng = random.Random(seed)
    actor = staged(seed)[0]
    background = paint_field(Field("gray"), rng)
    changed = (paint_frame(background, [actor], 0.4) != background).any(axis=2)
    rows, columns = np.nonzero(changed)
    left, top, right, bottom = box_of(actor, 0.4)
    # Antialiasing spills over by a pixel.
    assert columns.min() == pytest.approx(left, abs=2)
    assert columns.max() == pytest.approx(right, abs=2)
    assert rows.min() == pytest.approx(top, abs=2)
    assert rows.max() == pytest.approx(bottom, abs=2)
    assert changed.shape == (HEIGHT_PX, WIDTH_PX)


def test_a_script_is_the_same_from_the_same_seed_and_another_from_another():
    assert random_script(5) == random_script(5)
    assert random_script(5) != random_script(6)


def test_voices_keep_to_their_vocabulary():
    rng = random.Random(1)
    said = {w for _ in range(500) for style in STYLES for w in sentence(rng, style).split()}
    assert said <= vocabulary()
    assert 80 <= len(vocabulary()) <= 110


def test_the_first_coloured_shape_that_is_spoken_of_is_found():
    assert first_mention("Look at the large circle, a blue star.") == ("blue", "star")
    assert first_mention("the crowd is happy") is None


@pytest.mark.parametrize("label", HEARD)
def test_a_sound_is_as_long_as_asked_and_neither_silent_nor_clipped(label):
    wave = play(label, 1.3, np.random.default_rng(3))
    assert len(wave) == round(1.3 * SAMPLE_RATE_HZ)
    assert 0.29 <= np.abs(wave).max() <= 0.71
    assert np.isfinite(wave).all()
    assert FPS * 1280 == SAMPLE_RATE_HZ  # A whole number of samples to a frame.
