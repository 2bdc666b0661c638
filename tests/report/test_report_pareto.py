"""Speed against quality: who is on the front, and the chart that shows it."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from helpers.judging import NANO, TOLD, WRONG, read, refer, rows, text
from helpers.suites import MACHINE, SuiteMaker

from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.report.page.labels import place
from kairos_lib.report.sections.pareto import speed_against_quality
from kairos_lib.results.speed_and_quality import speed_and_quality
from kairos_lib.results.suite import SuiteData
from kairos_lib.vlm.records import Caption


def contest(maker: SuiteMaker) -> SuiteData:
    """A fast model, a better one, one that both beat, and some that cannot be compared."""
    maker.base()
    refer(maker)
    maker.done(model="fast", title="Fast & <b>rough</b>", captions=[TOLD[0], *WRONG[1:]], time_s=3)
    maker.done(model="good", title="Good", captions=TOLD, time_s=30)
    maker.done(model="bad", title="Bad", captions=WRONG, time_s=60)
    maker.done(model="noise", title="Noise", weights_source="dummy", time_s=1)
    maker.done(model="again", title="Again", captions=TOLD, time_s=1, parts=2)
    maker.done(model="other", title="Other", captions=TOLD, time_s=1,
               machine={**MACHINE, "cpu": "Another"})  # fmt: skip
    maker.failed(model="broken", title="Broken")
    return read(maker)


def test_the_front_has_the_models_that_nothing_beats_in_both(maker: SuiteMaker) -> None:
    found = speed_and_quality(contest(maker))
    assert found.yardstick is not None
    assert found.yardstick.name == "ROUGE-L against references"
    assert [(point.model, point.on_front) for point in found.points] == [
        ("fast", True),
        ("good", True),
        ("bad", False),
    ]
    assert found.points[2].beaten_by == ("Fast & <b>rough</b>", "Good")
    assert found.points[1].rtf == pytest.approx(1)
    assert found.points[1].value == pytest.approx(1)
    assert dict(found.absent) == {
        "Noise": "has captions that are noise",
        "Again": "was interrupted and resumed, on Match",
        "Other": "was made on another machine than most of its suite, on Match",
        "Broken": "failed (out of memory), on Match",
    }


def test_the_chart_names_every_model_and_has_its_table(maker: SuiteMaker) -> None:
    page = speed_against_quality(contest(maker))
    chart = text(page).split("</figure>")[0]
    assert 'role="img"' in chart
    for name in ("Fast &amp; &lt;b&gt;rough&lt;/b&gt;", "Good", "Bad"):
        assert chart.count(name) >= 2, "in the description and beside its point"
    assert "<b>" not in text(page)
    told = rows(page)
    assert [row[0] for row in told][1:] == ["Good", "Bad", "Noise", "Again", "Other", "Broken"]
    assert told[1][1:5] == ["1.0x", "100.0", "3", "on the front"]
    assert told[2][4].startswith("beaten by Fast")
    assert told[3][1:5] == ["—", "—", "—", "has captions that are noise"]
    colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", chart)
    assert {c for c in colours if not c.startswith(("currentColor", "var(", "none"))} == set()


def test_no_axis_goes_beyond_all_of_it(maker: SuiteMaker) -> None:
    maker.base()
    refer(maker)
    for model, time_s in (("fast", 3), ("slow", 30)):
        maker.done(model=model, title=model.title(), captions=TOLD, time_s=time_s)
    chart = text(speed_against_quality(read(maker))).split("</figure>")[0]
    shares = [float(share) for share in re.findall(r">(\d+(?:\.\d)?)</text>", chart)]
    assert 100 in shares
    assert max(shares) == 100


def test_one_model_alone_makes_no_chart(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    maker.done(model="noise", title="Noise", weights_source="dummy")
    page = text(speed_against_quality(read(maker)))
    assert "<svg" not in page
    assert "fewer than two models" in page
    assert "Noise has captions that are noise" in page


def test_models_are_judged_on_the_scenes_that_all_have_captioned(maker: SuiteMaker) -> None:
    maker.base("a", "A")
    maker.base("b", "B")
    for video in ("a", "b"):
        refer(maker, video)
        maker.done(model="one", title="One", video=video, captions=TOLD, time_s=30)
    lost = Caption(scene=2, text="", error="lost")
    maker.done(model="two", title="Two", video="a", captions=[*WRONG[:2], lost], time_s=6)
    maker.done(model="two", title="Two", video="b", weights_source="nano")  # Not of its world.
    found = speed_and_quality(read(maker))
    assert found.videos == ("A",)
    assert [(p.model, p.quality.n, p.rtf) for p in found.points] == [("two", 2, 0.2), ("one", 2, 1)]


def test_without_references_the_chart_says_what_its_measure_is_worth(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(model="a", title="Sees", captions=["A man kicks a ball."] * 3)
    maker.done(model="b", title="Blind", captions=["Fog."] * 3)
    data = read(maker)
    found = speed_and_quality(data)
    assert found.yardstick is not None
    assert not found.yardstick.referenced
    assert "says little of how true captions are" in text(speed_against_quality(data))


def test_attributes_are_the_measure_only_among_models_that_write_them(maker: SuiteMaker) -> None:
    truth = ClipTruth.of_demo("demo-match").scenes[0]
    maker.base(scenes=1, scene_s=truth.end_s)
    refer(maker, truth=CLIPS / "demo-match.json")
    maker.done(model="a", title="A", captions=[truth.caption], **NANO)
    maker.done(model="b", title="B", captions=[truth.caption], **NANO)
    among_nano = speed_and_quality(read(maker)).yardstick
    maker.done(model="c", title="C", captions=[truth.caption], synthetic_video=True)
    with_another = speed_and_quality(read(maker)).yardstick
    assert among_nano is not None
    assert with_another is not None
    assert (among_nano.name, with_another.name) == (
        "Attributes right",
        "ROUGE-L against references",
    )


def test_names_of_a_crowd_of_points_lie_on_nothing_else() -> None:
    points = [(300.0 + 3 * (number % 5), 150.0 + 2 * number) for number in range(20)]
    names = [f"Model number {number}" for number in range(20)]
    line = (200.0, 160.0, 330.0, 160.0)
    labels = place(points, names, (50, 30, 600, 300), 8.5, [line])
    for one, other in combinations([*(label.box for label in labels), line], 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    assert all(label.box[0] >= 50 and label.box[2] <= 600 for label in labels)
    assert all(label.far for label in labels if abs(label.up_pt) > 20)
