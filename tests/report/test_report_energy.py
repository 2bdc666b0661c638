"""What was used of electricity."""

from __future__ import annotations

from helpers.suites import SuiteMaker, scenario

from kairos_lib.report.page.html import Html
from kairos_lib.report.sections import energy
from kairos_lib.results import suite


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


def test_energy_is_told_for_each_minute_of_video(maker: SuiteMaker) -> None:
    maker.base(scenes=3, scene_s=40)
    for repeat, energy_j in enumerate((3000, 3400, 3200), start=1):
        maker.done(repeat=repeat, offline=scenario("offline", 3, 16, energy_j=energy_j))
    page = text(energy.energy(suite.read(maker.write(), "demo")))
    # 3.2 kJ for two minutes and three scenes, in 16 s.
    assert "3.2 kJ" in page
    assert "1.6 kJ" in page
    assert "1.1 kJ" in page
    assert "200 W" in page
    assert "1.5 kJ–1.7 kJ, n\u00a0=\u00a03" in page


def test_a_model_without_a_counter_was_not_measured(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(offline=scenario("offline", 3, 15, energy_j=900))
    maker.done(model="other", title="Other")
    page = text(energy.energy(suite.read(maker.write(), "demo")))
    assert page.count("not measured") == 4


def test_where_nothing_was_measured_one_line_says_so(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    page = text(energy.energy(suite.read(maker.write(), "demo")))
    assert page.startswith('<p class="none">Energy was not measured')


def test_a_suite_without_a_result_has_nothing_to_say_of_energy(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed()
    assert energy.energy(suite.read(maker.write(), "demo")) is None
