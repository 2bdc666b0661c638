"""Shots and how one becomes the next, held against films that were cut by a test."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from helpers.moves import View, film, shot
from helpers.projects import CHECKOUT, make_project, write_parameters
from helpers.shots import blend, drift, during, edited, plain

from kairos_lib.analyzers.cuts import Analyzer as Cuts
from kairos_lib.analyzers.cuts.analyzer import Shot
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal

PROFILE = {"title": "Plain", "stages": ["cuts"], "scenes": {"thumbnail_px": 96}}


def shots_of(project: Project, video: Path) -> list[Shot]:
    """The shots of a video."""
    write_parameters(project, "base", "plain", dict(PROFILE))
    session = BaseSession.open(str(video), "plain")
    session.process()
    return list(Journal(session.run.file("cuts.jsonl"), Shot))


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> list[Shot]:
    """A film with one of each.

    At 1.4 s a cut, from 2.8 s to 3.6 s a dissolve, from 5.0 s to 6.6 s
    a fade through black, at 7.8 s a flash of two frames, at 9.0 s a cut, at 10.4 s a fade to white.
    """
    root = tmp_path_factory.mktemp("cuts")
    frames = chain(
        edited(),
        blend(drift(4), plain(255), 0.6, (1.4, 0.0)),
        during(plain(255), 0.4),
    )
    video = film(root / "film.mp4", frames)
    with pytest.MonkeyPatch.context() as patch:
        project = make_project(root / "project")
        patch.setenv("KAIROS_ROOT", str(project.root))
        patch.chdir(project.root)
        return shots_of(project, video)


def test_each_shot_opens_as_it_was_made_to(shots: list[Shot]) -> None:
    assert [one.opens_with for one in shots] == [
        "start", "cut", "dissolve", "fade through black", "cut",
    ]  # fmt: skip
    assert [one.closes_with for one in shots] == [
        "cut", "dissolve", "fade through black", "cut", "fade to white",
    ]  # fmt: skip


def test_transitions_are_where_they_are(shots: list[Shot]) -> None:
    """A cut to the frame, anything longer within two of the frames looked at: 0.2 s."""
    assert shots[1].opening_start_s == shots[1].opening_end_s == pytest.approx(1.4)
    assert shots[2].opening_start_s == pytest.approx(2.8, abs=0.2)
    assert shots[2].opening_end_s == pytest.approx(3.6, abs=0.2)
    assert shots[3].opening_start_s == pytest.approx(5.0, abs=0.2)
    assert shots[3].opening_end_s == pytest.approx(6.6, abs=0.2)
    assert shots[4].opening_start_s == pytest.approx(9.08)


def test_a_flash_is_no_cut(shots: list[Shot]) -> None:
    assert all(not one.flashes_s for number, one in enumerate(shots) if number != 3)
    # One that falls between two looks at the picture is no cut either, and is not told.
    assert all(flash_s == pytest.approx(7.84, abs=0.1) for flash_s in shots[3].flashes_s)
    assert len(shots) == 5


def test_shots_cover_the_video(shots: list[Shot]) -> None:
    assert shots[0].start_s == 0
    assert [one.end_s for one in shots[:-1]] == [one.start_s for one in shots[1:]]
    assert shots[-1].end_s == pytest.approx(11.48)
    assert [one.length_s for one in shots] == pytest.approx([1.4, 1.8, 2.6, 3.3, 2.4], abs=0.3)


def test_it_is_told_in_words_marks_and_figures(shots: list[Shot]) -> None:
    assert Cuts.prompt_line(shots[1:2]).endswith(" s after a cut")
    assert Cuts.prompt_line(shots[:1]) == "Shots: 1.4 s at the beginning"
    assert Cuts.labels(shots) == ["start", "cut", "dissolve", "fade through black"]
    marks = Cuts.marks(shots)
    assert [mark.start_s for mark in marks] == sorted(mark.start_s for mark in marks)
    assert {mark.text for mark in marks} >= {"cut", "dissolve", "fade through black"}
    figures = Cuts.figures(shots)
    assert figures["Shots"] == "5"
    assert figures["Transitions"] == "2 cut, 1 dissolve, 1 fade through black"
    assert shots[0].transitions_per_minute == pytest.approx(4 / 11.48 * 60)
    assert Cuts.figures([]) == {}
    assert Cuts.prompt_line([]) == ""


def test_every_cut_between_plain_colours_is_one(project: Project, clip: Path) -> None:
    found = shots_of(project, clip)
    assert [one.start_s for one in found] == pytest.approx([float(n) for n in range(12)])
    assert [one.opens_with for one in found] == ["start"] + ["cut"] * 11
    assert [one.scene for one in found] == list(range(12))


def test_a_video_that_comes_out_of_black_opens_with_a_fade(
    project: Project, tmp_path: Path
) -> None:
    frames = chain(
        during(plain(0), 0.4), blend(plain(0), drift(1), 0.8), during(drift(1), 1.0, 0.8)
    )
    (found,) = shots_of(project, film(tmp_path / "film.mp4", frames))
    assert found.opens_with == "fade from black"
    assert found.opening_end_s == pytest.approx(1.2, abs=0.2)
    assert (found.start_s, found.closes_with) == (0, "end")


def test_a_fade_with_which_a_video_begins_is_no_transition_in_any_figure() -> None:
    first, second = (
        Shot(
            scene=number, start_s=30.0 * number, end_s=30.0 * number + 30, length_s=30,
            opens_with=kind, opening_start_s=30.0 * number, opening_end_s=30.0 * number,
            closes_with="end", transitions_per_minute=1.0,
        )
        for number, kind in enumerate(("fade from black", "cut"))
    )  # fmt: skip
    figures = Cuts.figures([first, second])
    assert figures["Transitions"] == "1 cut"
    assert figures["Transitions a minute"] == "1.0"
    assert figures["Rhythm by thirds"] == "0, 3, 0"
    assert "Transitions" not in Cuts.figures([first])


@pytest.mark.parametrize("black_s", [0.0, 0.4])
def test_a_shot_that_hardly_moves_after_a_fade_is_a_shot(
    project: Project, tmp_path: Path, black_s: float
) -> None:
    """Whether its first frame follows the fade's last or a while of black."""
    frames = chain(
        during(drift(0), 0.8),
        blend(drift(0), plain(0), 0.6, (0.8, 0.0)),
        during(plain(0), black_s),
        during(drift(1, 1.0), 0.8),
    )
    first, second = shots_of(project, film(tmp_path / "film.mp4", frames))
    assert (first.opens_with, first.closes_with) == ("start", "fade to black")
    assert (second.opens_with, second.closes_with) == ("fade to black", "end")
    assert second.opening_start_s == pytest.approx(0.8, abs=0.2)
    assert second.opening_end_s == pytest.approx(1.4 + black_s, abs=0.1)
    # Scenes meet where the black begins.
    assert second.start_s == pytest.approx(1.4)


def test_a_shot_before_a_cut_to_black_is_a_shot(project: Project, tmp_path: Path) -> None:
    frames = chain(
        during(drift(0, 1.0), 0.8), during(plain(0), 0.4),
        blend(plain(0), drift(1), 0.6), during(drift(1), 0.4, 0.6),
    )  # fmt: skip
    first, second = shots_of(project, film(tmp_path / "film.mp4", frames))
    assert (first.closes_with, second.opens_with) == ("fade from black", "fade from black")
    assert second.opening_start_s == pytest.approx(0.8, abs=0.2)
    assert second.opening_end_s == pytest.approx(1.8, abs=0.2)


def test_a_pan_that_starts_and_stops_is_no_dissolve(project: Project, tmp_path: Path) -> None:
    def path(t: float) -> View:
        return View(700 + 300 * min(max(t - 0.8, 0), 1))

    (found,) = shots_of(project, film(tmp_path / "pan.mp4", shot(path, 2.6)))
    assert (found.opens_with, found.closes_with) == ("start", "end")


RANDOM = np.random.default_rng(5)
ODD = {
    "black": (lambda n: np.zeros((90, 160), np.uint8), 20),
    "white noise": (lambda n: RANDOM.integers(0, 256, (90, 160), dtype=np.uint8), 20),
    "one frame": (lambda n: np.full((90, 160), 120, np.uint8), 1),
    "two frames": (lambda n: np.full((90, 160), 60 * n, np.uint8), 2),
    "a still": (lambda n: np.tile(np.arange(160, dtype=np.uint8), (90, 1)), 60),
}


@pytest.mark.parametrize("name", ODD)
def test_what_has_no_cut_is_one_shot(project: Project, tmp_path: Path, name: str) -> None:
    image, count = ODD[name]
    video = film(tmp_path / "odd.mp4", [image(number) for number in range(count)])
    (found,) = shots_of(project, video)
    assert (found.opens_with, found.closes_with) == ("start", "end")
    assert found.length_s == pytest.approx(count / 25)
    assert found.transitions_per_minute == 0


@pytest.mark.services
@pytest.mark.parametrize("name", ["match", "recipe", "dialogue"])
def test_the_cuts_of_a_demo_clip_are_those_it_was_drawn_with(project: Project, name: str) -> None:
    clip = CHECKOUT / "kairos_lib" / "nano" / "clips" / f"demo-{name}.mp4"
    truth = json.loads(clip.with_suffix(".json").read_text(encoding="utf-8"))["cuts"]
    _, *found = shots_of(project, clip)
    assert [one.start_s for one in found] == pytest.approx([cut["time_s"] for cut in truth])
    assert [one.opens_with for one in found] == [
        "fade to black" if cut["after_fade"] else "cut" for cut in truth
    ]
