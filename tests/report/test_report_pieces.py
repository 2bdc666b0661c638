"""The gallery and the charts."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.suites import SuiteMaker

from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import StageReport
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections import charts, overview, tables
from kairos_lib.report.sections.gallery import Gallery
from kairos_lib.results import suite
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, FusedScene


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


def shown(data: SuiteData) -> str:
    return text(Gallery(data, data.project.notebooks).html())


def test_models_stand_side_by_side_under_each_scene(maker: SuiteMaker) -> None:
    maker.base(scenes=2)
    maker.done(model="a", title="First", captions=["A ball.", "A goal."])
    maker.done(model="b", title="Second", captions=["A sphere.", "A net."])
    data = suite.read(maker.write(), "demo")
    cards = Gallery(data, data.project.notebooks).first[0].cards
    assert [[said.caption.text for said in card.said if said.caption] for card in cards] == [
        ["A ball.", "A sphere."],
        ["A goal.", "A net."],
    ]


def test_a_scene_tells_what_was_heard_and_seen(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(transcript="Goal for the home side!")
    page = shown(suite.read(maker.write(), "demo"))
    assert "Goal for the home side!" in page
    assert "applause 83%" in page
    assert "person ×2, ball" in page


def test_a_stage_that_did_not_run_is_not_taken_for_having_found_nothing(maker: SuiteMaker) -> None:
    reports = [
        StageReport(name="scenes", state="done"),
        StageReport(name="speech", state="skipped", reason="no weights"),
        StageReport(name="sounds", state="done"),
    ]
    maker.base(scenes=1, stages=reports)
    folder = maker.done()
    quiet = FusedScene(
        scene=maker.videos["match"][1][0], transcript="", segments=(), sounds=(), objects=(),
        prompt="", caption=Caption(scene=0, text="A caption."),
    )  # fmt: skip
    Journal(folder / "fused.jsonl", FusedScene).write_all(iter([quiet]))
    page = shown(suite.read(maker.write(), "demo"))
    assert "not transcribed" in page
    assert "no sounds" in page


def test_pictures_are_lazy_relative_and_described(maker: SuiteMaker) -> None:
    maker.base(title="Demo match", scenes=3, scene_s=12.4)
    maker.done()
    page = shown(suite.read(maker.write(), "demo"))
    assert 'src="../runs/base/match/key0/thumbnails/00001-start.jpg"' in page
    told = "Scene 2 of Demo match, first frame, at 0:12.4; seen in this scene: person ×2, ball"
    assert f'alt="{told}"' in page
    assert page.count('loading="lazy"') == 6


def test_a_scene_name_cannot_lead_out_of_the_thumbnails(maker: SuiteMaker) -> None:
    folder = maker.base(scenes=1)
    outside = Scene(index=0, start_s=0, end_s=1, thumbnails=("../../../../secret.jpg",))
    (maker.project.root / "secret.jpg").write_bytes(b"x")
    (folder / "scenes.jsonl").write_text(outside.model_dump_json() + "\n")
    maker.done()
    assert "secret" not in shown(suite.read(maker.write(), "demo"))


def test_a_caption_that_failed_or_was_cut_off_says_so(maker: SuiteMaker) -> None:
    maker.base(scenes=2)
    maker.done(
        captions=[
            Caption(scene=0, text="It goes on and", truncated=True),
            Caption(scene=1, text="", error="ran out of memory at batch size 1"),
        ]
    )
    page = shown(suite.read(maker.write(), "demo"))
    assert "cut off" in page
    assert "ran out of memory at batch size 1" in page


def test_captions_of_a_failed_run_are_kept_and_the_rest_explained(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    maker.failed(captions=["Only the first."])
    page = shown(suite.read(maker.write(), "demo"))
    assert "Only the first." in page
    assert page.count("No caption: out of memory") == 2


def test_the_first_repeat_that_is_done_is_quoted(maker: SuiteMaker) -> None:
    maker.base(scenes=1)
    maker.failed(model="m", repeat=1, captions=["Of the failed run."])
    maker.done(model="m", repeat=2, captions=["Of the good run."])
    page = shown(suite.read(maker.write(), "demo"))
    assert "Of the good run." in page
    assert "Of the failed run." not in page


def test_the_first_screen_quotes_every_model_on_the_same_scene(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    maker.done(model="a", title="First", captions=["A0.", "A1.", "A2."])
    errors = [Caption(scene=0, text="", error="lost"), "B1.", "B2."]
    maker.done(model="b", title="Second", captions=errors)
    data = suite.read(maker.write(), "demo")
    page = text(overview.glance(data, Gallery(data, data.project.notebooks).first))
    assert "Scene 2 of Match" in page
    assert re.findall(r"<blockquote>(.*?)</blockquote>", page) == ["A1.", "B1."]


def test_the_first_screen_says_how_fast_over_all_videos(maker: SuiteMaker) -> None:
    maker.base("a", "A", scenes=1, scene_s=30)
    maker.base("b", "B", scenes=3, scene_s=30)
    maker.done(video="a", time_s=60)
    maker.done(video="b", time_s=60)
    data = suite.read(maker.write(), "demo")
    page = text(overview.glance(data, Gallery(data, data.project.notebooks).first))
    assert "<b>1.0x</b>" in page
    assert "2.0 min for 2m 00s of video" in page


def all_charts(maker: SuiteMaker) -> list[str]:
    maker.base(title="Cost: $5 <b>")
    maker.done(title="Small & <i>fast</i>")
    maker.done(title="Small & <i>fast</i>", repeat=2, time_s=40)
    data = suite.read(maker.write(), "demo")
    return [text(chart(data)) for chart in (charts.rtf, charts.single_stream, charts.stages)]


def test_charts_of_one_page_share_no_id(maker: SuiteMaker) -> None:
    ids = re.findall(r'\bid="([^"]+)"', "".join(all_charts(maker)))
    assert len(ids) == len(set(ids))


def test_every_reference_in_a_chart_has_its_target(maker: SuiteMaker) -> None:
    for chart in all_charts(maker):
        ids = set(re.findall(r'\bid="([^"]+)"', chart))
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', chart)) <= ids


def test_a_chart_is_the_same_each_time(maker: SuiteMaker, tmp_path: Path) -> None:
    first = all_charts(maker)
    assert all_charts(SuiteMaker(tmp_path / "again")) == first


def test_a_chart_says_what_it_shows_to_who_cannot_see_it(maker: SuiteMaker) -> None:
    chart = all_charts(maker)[0]
    assert 'role="img"' in chart
    title = re.search(r'<title id="rtf-title">([^<]+)</title>', chart)
    assert title is not None
    assert 'aria-labelledby="rtf-title rtf-desc"' in chart


def test_a_chart_takes_its_colours_from_the_page(maker: SuiteMaker) -> None:
    for chart in all_charts(maker):
        colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", chart)
        assert {c for c in colours if not c.startswith(("currentColor", "var(", "none"))} == set()


def test_titles_in_charts_are_escaped(maker: SuiteMaker) -> None:
    for chart in all_charts(maker):
        assert "<i>" not in chart
        assert "<b>" not in chart


def test_a_suite_without_any_result_has_no_charts(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed()
    data = suite.read(maker.write(), "demo")
    assert charts.rtf(data) is None
    assert charts.single_stream(data) is None


def test_a_chart_is_drawn_again_for_a_phone_with_all_it_says(maker: SuiteMaker) -> None:
    maker.base(title="A rather long title that has to be broken")
    maker.done(title="A model with a title of some length", weights_source="dummy", time_s=60)
    data = suite.read(maker.write(), "demo")
    wide, narrow = text(charts.rtf(data)).split('<div class="narrow">')
    for drawn in (wide, narrow):
        words = " ".join(re.findall(r"<text\b[^>]*>([^<]*)</text>", drawn))
        assert "dummy weights: captions are noise" in words
        assert "A model with a title of some" in words
        assert "A rather long title" in words
        assert "2.0x" in words


def test_a_table_remembers_the_numbers_it_is_sorted_by(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(time_s=150)
    maker.done(model="twice", time_s=0.04)
    maker.done(model="twice", repeat=2, time_s=0.06)
    data = suite.read(maker.write(), "demo")
    table = text(tables.end_to_end(data))
    assert '<td class="number" data-title="VLM time" data-value="150.0">2.5 min</td>' in table
    assert '<span data-value="0.05">50 ms</span>' in table
