from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import by_scene, film_of, found_in, session_of

from kairos_lib.analyzers.color import Analyzer, ColorSample, of_scene, sample
from kairos_lib.pipeline.base_data import read_base_data
from kairos_lib.project import Project

SIZE = (180, 320)
RED, BLUE, YELLOW = (200, 30, 30), (20, 60, 160), (230, 220, 60)
WHITE, GREY, BLACK = (255, 255, 255), (128, 128, 128), (0, 0, 0)
Rgb = tuple[int, int, int]


def stripes(*parts: tuple[Rgb, float]) -> np.ndarray:
    """Upright stripes of given shares of the width."""
    picture = np.zeros((*SIZE, 3), dtype=np.uint8)
    at = 0.0
    for colour, share in parts:
        picture[:, round(at * SIZE[1]) :] = colour
        at += share
    return picture


def of_film(project: Project, folder: Path, picture: np.ndarray) -> ColorSample:
    (found,) = found_in(project, film_of(folder / "one.mp4", [picture] * 4), "color")
    assert isinstance(found, ColorSample)
    return found


def of_picture(picture: np.ndarray) -> ColorSample:
    return sample(picture[:, :, ::-1], 0.0, 5)


def rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:], 16)


def test_a_palette_has_the_colours_of_the_picture_with_their_shares(
    project: Project, tmp_path: Path
) -> None:
    known = [(RED, 0.5), (BLUE, 0.3), (YELLOW, 0.2)]
    found = of_film(project, tmp_path, stripes(*known))
    assert [one.name for one in found.palette] == ["red", "blue", "yellow"]
    for one, (colour, share) in zip(found.palette, known, strict=True):
        assert one.share == pytest.approx(share, abs=0.01)
        assert rgb(one.colour) == pytest.approx(colour, abs=6)


def test_noise_and_shades_do_not_add_colours() -> None:
    noise = np.random.default_rng(3).normal(0, 8, (*SIZE, 3))
    noisy = np.clip(stripes((RED, 0.6), (BLUE, 0.4)) + noise, 0, 255).astype(np.uint8)
    found = of_picture(noisy)
    assert [one.name for one in found.palette] == ["red", "blue"]
    assert found.palette[0].share == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(
    ("colour", "kelvin"),
    # Daylight is sRGB's white. The others are black bodies of 3,000 and 10,000 K in sRGB.
    [(WHITE, 6504), (GREY, 6504), ((255, 180, 107), 3000), ((202, 218, 255), 10000)],
)
def test_the_temperature_is_that_of_the_white(colour: Rgb, kelvin: float) -> None:
    found = of_picture(stripes((colour, 1.0)))
    assert found.temperature_k == pytest.approx(kelvin, rel=0.04)


@pytest.mark.parametrize("colour", [BLACK, (0, 255, 0), (255, 0, 0), (255, 0, 255)])
def test_what_is_no_white_has_no_temperature(colour: Rgb) -> None:
    found = of_picture(stripes((colour, 1.0)))
    assert found.temperature_k is None
    assert len(found.palette) == 1


def test_brightness_contrast_and_saturation_are_of_known_pictures() -> None:
    halves = of_picture(stripes((BLACK, 0.5), (WHITE, 0.5)))
    assert (halves.brightness, halves.contrast, halves.saturation) == pytest.approx(
        (0.5, 0.5, 0.0), abs=0.01
    )
    red = of_picture(stripes(((255, 0, 0), 1.0)))
    # CIE L* of sRGB's red is 53.2.
    assert (red.brightness, red.contrast, red.saturation) == pytest.approx(
        (0.532, 0.0, 1.0), abs=0.02
    )


def test_each_scene_has_colours_of_its_own(project: Project, tmp_path: Path) -> None:
    first, second = stripes((RED, 0.7), (YELLOW, 0.3)), stripes((BLUE, 1.0))
    session = session_of(
        project, film_of(tmp_path / "two.mp4", [first] * 12 + [second] * 8), "color"
    )
    one, two = by_scene(session, "color")
    assert (len(one), len(two)) == (3, 2)
    assert Analyzer.prompt_line(one) == "Colours: red 70%, yellow 30%; vivid, warm"
    assert Analyzer.labels(two) == ["blue", "vivid"]
    strip = Analyzer.marks([*one, *two])
    assert [(mark.start_s, mark.end_s, mark.text) for mark in strip] == [
        (0.0, 3.0, "red"),
        (3.0, 5.0, "blue"),
    ]
    assert [rgb(mark.colour) for mark in strip] == [pytest.approx(c, abs=6) for c in (RED, BLUE)]
    data = [getattr(scene, "color") for scene in read_base_data(session.run.file("base_data.json"))]  # noqa: B009
    assert [scene["scene"]["palette"][0]["name"] for scene in data] == ["red", "blue"]


def test_a_scene_is_the_mean_of_its_samples() -> None:
    whole = of_scene(
        [of_picture(stripes((WHITE, 1.0))), of_picture(stripes((WHITE, 0.5), (GREY, 0.5)))]
    )
    assert {one.name: one.share for one in whole.palette} == {
        "white": pytest.approx(0.75, abs=0.01),
        "grey": pytest.approx(0.25, abs=0.01),
    }
    assert whole.temperature_k == pytest.approx(6504, rel=0.01)


def test_the_same_picture_gives_the_same_palette_again() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    one, two = of_picture(noise), of_picture(noise.copy())
    assert one.palette == two.palette
    assert sum(part.share for part in one.palette) == pytest.approx(1, abs=1e-3)
    assert len(one.palette) == 5


def test_a_video_of_one_frame_is_sampled_once(project: Project, tmp_path: Path) -> None:
    (found,) = found_in(project, film_of(tmp_path / "f.mp4", [stripes((BLUE, 1.0))]), "color")
    assert found.palette[0].name == "blue"
    assert Analyzer.figures([found])["Main colour"] == "blue (100%)"


def test_nothing_is_said_of_a_scene_without_a_sample() -> None:
    assert (Analyzer.prompt_line([]), Analyzer.view([]), Analyzer.labels([])) == ("", "", [])
    assert (list(Analyzer.marks([])), dict(Analyzer.figures([]))) == ([], {})


def test_a_photograph_has_the_colours_that_people_see_in_it(
    project: Project, tmp_path: Path, bus: np.ndarray
) -> None:
    """A grey street with a blue bus, in daylight."""
    found = of_film(project, tmp_path, bus)
    assert {"grey", "blue"} <= {one.name for one in found.palette}
    assert found.temperature_k is not None
    assert 5000 < found.temperature_k < 7500
