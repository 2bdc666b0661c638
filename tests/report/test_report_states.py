"""A whole suite in which not all went well: every run is told for what it is."""

from __future__ import annotations

from collections.abc import Iterator

from bs4 import BeautifulSoup
from helpers.suites import SuiteMaker

from kairos_lib.report.page.html import Html
from kairos_lib.report.sections import tables
from kairos_lib.results import suite, summary
from kairos_lib.results.suite import SuiteData

VIDEOS = ("match", "recipe", "dialogue", "speech")


def eventful(maker: SuiteMaker) -> SuiteData:
    """2 models x 4 videos x 3 repeats: one run failed, one was resumed, one has dummy weights."""
    for video in VIDEOS:
        maker.base(video=video, title=video.title())
    for repeat in (1, 2, 3):
        for video in VIDEOS:
            for model, time_s in (("small", 15.0), ("large", 30.0)):
                at = (model, video, repeat)
                if at == ("large", "recipe", 2):
                    maker.failed(model, model.title(), video, repeat)
                    continue
                maker.done(
                    model,
                    model.title(),
                    video,
                    repeat,
                    time_s=900.0 if at == ("small", "match", 1) else time_s + repeat,
                    parts=2 if at == ("small", "match", 1) else 1,
                )
    maker.done("small-dummy", "Small, dummy weights", "match", time_s=16.0, weights_source="dummy")
    return suite.read(maker.write(), "demo")


def rows(page: Html | None) -> Iterator[list[str]]:
    assert page is not None
    for row in BeautifulSoup(str(page.markup), "html.parser").select("tbody tr"):
        yield [" ".join(cell.get_text(" ").split()) for cell in row.select("td, th")]


def test_each_row_tells_what_went_wrong_in_it_and_no_other_does(maker: SuiteMaker) -> None:
    told = {(row[0], row[1]): row for row in rows(tables.end_to_end(eventful(maker)))}
    assert len(told) == 9
    plain = [row[-1] for row in told.values() if row[-1] == "3 of 3 done"]
    assert len(plain) == 6
    assert told["Large", "Recipe"][-1] == "2 of 3 done failed"
    assert told["Small", "Match"][-1] == "3 of 3 done resumed"
    assert "dummy weights: captions are noise" in told["Small, dummy weights", "Match"][-1]


def test_medians_are_of_the_runs_that_went_through_undisturbed(maker: SuiteMaker) -> None:
    told = {(row[0], row[1]): row[4] for row in rows(tables.end_to_end(eventful(maker)))}
    assert "n = 3" in told["Small", "Recipe"]
    # 15 min of the resumed run appear in no number.
    assert told["Small", "Match"].startswith("17.5 s")
    assert "n = 2" in told["Small", "Match"]
    assert "n = 2" in told["Large", "Recipe"]


def test_the_tidy_table_has_a_row_of_each_run_with_its_state(maker: SuiteMaker) -> None:
    frame = summary.frame(eventful(maker))
    offline = frame[frame["scenario"] == "offline"]
    assert len(offline) == 25
    assert offline["state"].value_counts().to_dict() == {"done": 24, "failed": 1}
    resumed = offline[offline["badges"].str.contains("resumed")]
    assert resumed[["model", "video", "repeat"]].values.tolist() == [["small", "match", 1]]
    assert not resumed["in_statistics"].any()
    assert offline["in_statistics"].sum() == 23
    assert set(offline.loc[offline["weights_source"] == "dummy", "model"]) == {"small-dummy"}


def test_what_failed_is_listed_once_with_its_reason(maker: SuiteMaker) -> None:
    (row,) = rows(tables.failures(eventful(maker)))
    assert row[:2] == ["Large", "Recipe"]
    assert "out of memory at batch size 1" in " ".join(row)
