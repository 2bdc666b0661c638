import pytest

from workshop.nano.precision import (
    Guess,
    Shown,
    average_precision,
    hits,
    mean_average_precision,
    overlap,
)

BOX = (0.0, 0.0, 2.0, 2.0)


def test_boxes_overlap_by_what_they_share_of_what_they_cover():
    assert overlap(BOX, BOX) == 1.0
    assert overlap(BOX, (1.0, 0.0, 3.0, 2.0)) == pytest.approx(2 / 6)
    assert overlap(BOX, (2.0, 0.0, 4.0, 2.0)) == 0.0


def test_a_second_guess_at_the_same_shape_is_wrong():
    shown = [Shown(0, "star", BOX)]
    sure, unsure = Guess(0, "star", BOX, 0.9), Guess(0, "star", BOX, 0.6)
    assert hits(shown, [unsure, sure]) == [True, False]


@pytest.mark.parametrize(
    "guess",
    [
        Guess(1, "star", BOX, 0.9),
        Guess(0, "ring", BOX, 0.9),
        Guess(0, "star", (1.5, 0.0, 3.5, 2.0), 0.9),
    ],
    ids=["another picture", "another label", "too little overlap"],
)
def test_a_guess_must_be_of_the_picture_the_label_and_the_place(guess: Guess):
    assert hits([Shown(0, "star", BOX)], [guess]) == [False]


def test_average_precision_is_the_area_under_falling_precision():
    assert average_precision([True, True], shown=2) == 1.0
    assert average_precision([], shown=3) == 0.0
    # Right, wrong, right of two: precision 1 up to half the recall, then two thirds.
    assert average_precision([True, False, True], shown=2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # A wrong guess before all right ones lowers all; one after them changes nothing.
    assert average_precision([False, True], shown=1) == pytest.approx(0.5)
    assert average_precision([True, False], shown=1) == 1.0


def test_every_label_counts_the_same_however_often_it_is_shown():
    shown = [Shown(i, "star", BOX) for i in range(9)] + [Shown(9, "ring", BOX)]
    guesses = [Guess(i, "star", BOX, 0.9) for i in range(9)]
    assert mean_average_precision(shown, guesses) == pytest.approx(0.5)


def test_average_precision_agrees_with_ultralytics():
    import numpy as np

    from kairos_lib.analyzers.objects import set_up_ultralytics

    set_up_ultralytics()
    from ultralytics.utils.metrics import ap_per_class

    found = [True, True, False, True, False, False, True, True]
    theirs = ap_per_class(
        np.array(found)[:, None],
        np.linspace(0.9, 0.2, len(found)),
        np.zeros(len(found)),
        np.zeros(6),
    )[5]
    # Theirs reads the curve at 101 places.
    assert average_precision(found, shown=6) == pytest.approx(float(theirs[0, 0]), abs=0.02)
