"""The tidy tables beside the report: what is measured of base processing and of captions."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.judging import NANO, TOLD, WRONG, read, refer
from helpers.suites import SuiteMaker

from kairos_lib.measure.usage import Resources
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.pipeline.records import StageReport
from kairos_lib.quality.judgement import Judged
from kairos_lib.report.report_session import ReportSession
from kairos_lib.results import tidy_tables
from kairos_lib.runs.manifest import PlannedBase
from kairos_lib.runs.status import Status


def number(value: Any) -> Any:
    return None if pd.isna(value) else value


def test_each_stage_of_each_video_has_a_row(maker: SuiteMaker) -> None:
    used = Resources(samples=9, peak_ram_mib=700, mean_cpu_cores=1.5, foreign_cpu_cores=0.7)
    maker.base("match", "Match", resources=used, total_s=3.5, stages=[
        StageReport(name="scenes", state="done", time_s=1.5, records=3, reused=True, key="k1"),
        StageReport(name="sounds", state="done", time_s=2, load_s=0.5, resources=used,
                    batch_size=8, weights_source="hub", weights="abc"),
        StageReport(name="objects", state="skipped", reason="no weights", remedy="fetch them"),
    ])  # fmt: skip
    failed = Status(state="failed", reason="error", message="speech failed: no space left")
    maker.base("recipe", "Recipe", status=failed, stages=[
        StageReport(name="frames", state="done", time_s=7),
        StageReport(name="speech", state="failed", reason="no space left"),
    ])  # fmt: skip
    maker.bases.append(PlannedBase(video="gone", title="Gone", folder="", problem="it is gone"))
    table = tidy_tables.stages(read(maker)).set_index(["video", "stage"])
    assert [(video, number(stage)) for video, stage in table.index] == [
        ("match", "frames"), ("match", "scenes"), ("match", "sounds"), ("match", "objects"),
        ("recipe", "frames"), ("recipe", "speech"), ("gone", None),
    ]  # fmt: skip
    assert table.loc[("match", "frames"), "time_s"] == 2.0
    scenes, sounds = table.loc[("match", "scenes")], table.loc[("match", "sounds")]
    assert (scenes["time_s"], scenes["taken_over"], scenes["key"]) == (1.5, True, "k1")
    assert (sounds["time_s"], sounds["load_s"], sounds["batch_size"]) == (2, 0.5, 8)
    assert (sounds["peak_ram_mib"], sounds["weights"]) == (700, "abc")
    assert (sounds["total_s"], sounds["length_s"], sounds["scenes"]) == (3.5, 30, 3)
    assert sounds["badges"] == "stages taken over; shared machine"
    skipped = table.loc[("match", "objects")]
    assert (skipped["state"], skipped["remedy"]) == ("skipped", "fetch them")
    assert number(skipped["time_s"]) is None
    assert table.loc[("recipe", "speech"), "reason"] == "no space left"
    assert set(table.loc["recipe"]["base_message"]) == {"speech failed: no space left"}
    assert table.loc["gone"]["base_message"].tolist() == ["it is gone"]


def test_each_model_and_video_has_a_row_of_quality(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    refer(maker)
    maker.done(model="a", title="Right", captions=TOLD)
    maker.done(model="b", title="Half", captions=[*TOLD[:1], *WRONG[1:]])
    maker.done(model="c", title="Noise", captions=TOLD, weights_source="dummy")
    maker.failed(model="d", title="Broken")
    table = tidy_tables.quality(read(maker)).set_index("model")
    right, half = table.loc["a"], table.loc["b"]
    assert (right["rouge_l"], right["rouge_l_scenes"]) == (1.0, 3)
    assert right["bleu"] == pytest.approx(100)
    assert right["chrf"] == pytest.approx(100)
    # Scenes that are all alike tell of no interval.
    assert number(right["rouge_l_low"]) is None
    assert half["rouge_l_low"] < half["rouge_l"] < half["rouge_l_high"]
    assert half["agreement_scenes"] == 3
    assert (right["captions"], right["words_scenes"], right["repeat"]) == (3, 3, 1)
    assert right["bleu_signature"].startswith("nrefs:1|")
    assert table["not_judged"].tolist() == ["", "", "noise", "not measured"]
    for name in ("rouge_l", "agreement", "captions", "bleu", "words"):
        assert number(table.loc["c", name]) is None
        assert number(table.loc["d", name]) is None


def test_attributes_of_the_nano_world_stand_in_columns_of_their_own(maker: SuiteMaker) -> None:
    truth = ClipTruth.of_demo("demo-match")
    maker.base(scenes=1, scene_s=truth.scenes[0].end_s)
    refer(maker, truth=CLIPS / "demo-match.json")
    maker.done(captions=[truth.scenes[0].caption.replace("blue", "white")], **NANO)
    (row,) = tidy_tables.quality(read(maker)).to_dict("records")
    assert row["attributes_right"] == pytest.approx(10 / 11)
    assert (row["colour_right"], row["kind_right"]) == (0.5, 1.0)


def test_no_number_that_is_measured_is_left_out() -> None:
    measured = {field.name for field in fields(Judged)}
    told = {
        *tidy_tables.SAMPLES.values(),
        *(name for of in tidy_tables.QUALITY_TYPES.values() for name in of),
    }
    assert measured - told == {"by_attribute", "corpus"}  # In columns of their own.
    columns = {name for of in tidy_tables.STAGE_TYPES.values() for name in of}
    assert set(StageReport.model_fields) - columns == {"name", "reused", "resources"}
    assert set(Resources.model_fields) - columns == {"samples"}


def test_all_tables_are_written_in_both_formats_whatever_there_is(
    maker: SuiteMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finished() -> dict[str, pd.DataFrame]:
        monkeypatch.setenv("KAIROS_ROOT", str(maker.write().root))
        told = ReportSession.open("demo").finish()
        folder: Path = maker.project.reports / "demo"
        found = {}
        for name in ("summary", "stages", "quality"):
            assert f'href="{name}.csv"' in str(told.markup)
            found[name] = pd.read_parquet(folder / f"{name}.parquet")
            assert len(pd.read_csv(folder / f"{name}.csv")) == len(found[name])
        return found

    empty = finished()
    maker.base()
    maker.done()
    full = finished()
    for name, table in full.items():
        assert not len(empty[name])
        assert len(table)
        assert table.dtypes.to_dict() == empty[name].dtypes.to_dict()
    assert math.isclose(full["stages"]["time_s"].sum(), 2.0 + 8.0)
