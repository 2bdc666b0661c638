"""What the numbers of the report are made of."""

from __future__ import annotations

import pytest
from helpers.cells import cells
from helpers.suites import SuiteMaker, scenario

from kairos_lib import formats
from kairos_lib.measure.usage import Resources
from kairos_lib.pipeline.records import StageReport
from kairos_lib.report.page.html import Html
from kairos_lib.report.report_session import ReportSession
from kairos_lib.report.sections import charts, stages, tables
from kairos_lib.results import rates, suite, summary
from kairos_lib.runs.manifest import PlannedBase
from kairos_lib.runs.status import Status


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(12.34, "12.3 s"), (59.97, "1m 00s"), (459, "7m 39s"), (3719, "1h 02m"), (7199.9, "2h 00m")],
)
def test_a_length_reads_as_minutes_and_seconds(seconds: float, written: str) -> None:
    assert formats.length(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.042, "42 ms"), (0.4, "0.40 s"), (12.34, "12.3 s"), (59.97, "1.0 min"), (852, "14.2 min"),
     (8640, "2.4 h")],
)  # fmt: skip
def test_time_taken_reads_in_one_unit(seconds: float, written: str) -> None:
    assert formats.work(seconds) == written


@pytest.mark.parametrize(
    ("rtf", "written"),
    [
        (0.004, "0.0040x"),
        (0.02, "0.020x"),
        (0.0996, "0.10x"),
        (0.0234, "0.023x"),
        (0.42, "0.42x"),
        (0.997, "1.0x"),
        (1.84, "1.8x"),
        (140.2, "140x"),
    ],
)
def test_a_real_time_factor_has_two_digits(rtf: float, written: str) -> None:
    assert formats.factor(rtf) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(12.4, "0:12.4"), (59.99, "1:00.0"), (3723.4, "1:02:03.4")]
)
def test_a_time_code_names_a_place_in_the_video(seconds: float, written: str) -> None:
    assert formats.time_code(seconds) == written


def test_the_real_time_factor_is_offline_time_by_length(maker: SuiteMaker) -> None:
    maker.base(scenes=3, scene_s=10)
    maker.done(time_s=15)
    page = text(tables.end_to_end(suite.read(maker.write(), "demo")))
    assert "0.50x" in page
    assert "15.0 s" in page


def test_the_end_to_end_table_has_the_columns_that_were_agreed(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    page = text(tables.end_to_end(suite.read(maker.write(), "demo")))
    titles = [head.split(">")[1].split("<")[0] for head in page.split('<th scope="col"')[1:]]
    columns = ["Model", "Video", "Length", "Scenes", "VLM time", "RTF", "RTF, one at a time"]
    assert titles == [*columns, "Status"]


def test_a_sample_of_the_scenes_gives_an_estimate_and_says_of_how_many(maker: SuiteMaker) -> None:
    maker.base(scenes=10, scene_s=10)
    # 2 scenes in 8 s are 4 s each: 40 s for all ten, of a video of 100 s.
    maker.done(single_stream=scenario("single-stream", 2, 8))
    page = text(tables.end_to_end(suite.read(maker.write(), "demo")))
    assert "0.40x from 2 scenes" in cells(page)


def test_all_scenes_alone_are_no_estimate(maker: SuiteMaker) -> None:
    maker.base(scenes=3, scene_s=10)
    maker.done(time_s=15)
    page = text(tables.end_to_end(suite.read(maker.write(), "demo")))
    assert "0.70x" in cells(page)
    assert "from 3 scenes" not in page


def test_an_hour_of_video_costs_the_real_time_factor_by_the_price(maker: SuiteMaker) -> None:
    maker.base(scenes=3, scene_s=10)
    maker.done(time_s=15)
    maker.done(model="remote", title="Remote", weights_source="server", time_s=15)
    project = maker.write(price_per_hour=0.8, currency="EUR")
    data = suite.read(project, "demo")
    page = text(tables.end_to_end(data))
    assert "EUR per video hour" in page
    assert "0.40" in cells(page)
    rows = summary.frame(data)
    offline = rows[rows["scenario"] == "offline"].set_index("model")
    assert offline.loc["small", "cost_per_video_hour"] == pytest.approx(0.4)
    assert offline.loc["small", "currency"] == "EUR"
    # What a server asks for is not the price of the machine that asks it.
    assert offline["cost_per_video_hour"].isna()["remote"]


def test_without_a_price_nothing_is_said_of_cost(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    data = suite.read(maker.write(), "demo")
    assert "per video hour" not in text(tables.end_to_end(data))
    assert summary.frame(data)["cost_per_video_hour"].isna().all()


def test_repeats_are_given_as_median_range_and_n(maker: SuiteMaker) -> None:
    maker.base()
    for repeat, time_s in enumerate((15, 21, 18), start=1):
        maker.done(repeat=repeat, time_s=time_s)
    pair = summary.pairs(suite.read(maker.write(), "demo"))[0]
    assert pair.vlm_time_s == summary.Measure(18, 15, 21, 3)
    assert "15.0 s–21.0 s, n\u00a0=\u00a03" in text(tables.measured(pair.vlm_time_s, formats.work))  # type: ignore[arg-type]


def test_a_resumed_run_stays_out_of_median_and_range(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(repeat=1, time_s=15)
    maker.done(repeat=2, time_s=90, parts=2)
    pair = summary.pairs(suite.read(maker.write(), "demo"))[0]
    assert pair.vlm_time_s == summary.Measure(15, 15, 15, 1)


def test_a_resumed_run_alone_is_shown_but_is_no_statistic(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(time_s=90, parts=2)
    page = text(tables.end_to_end(suite.read(maker.write(), "demo")))
    assert "1.5 min" in page
    assert "no statistic" in page


def test_a_failed_run_has_a_row_and_its_reason(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed(title="Large", captions=["One scene."])
    data = suite.read(maker.write(), "demo")
    assert "1 of 3 captions" in text(tables.end_to_end(data))
    listed = text(tables.failures(data))
    assert "Large" in listed
    assert "out of memory at batch size 1" in listed


def test_a_run_that_was_never_tried_says_why(maker: SuiteMaker) -> None:
    maker.base()
    maker.plan(problem="base processing of this video failed")
    data = suite.read(maker.write(), "demo")
    assert "base processing of this video failed" in text(tables.failures(data))
    assert "not run" in text(tables.end_to_end(data))


def test_a_spoilt_result_fails_its_own_run_alone(maker: SuiteMaker) -> None:
    maker.base()
    folder = maker.done(model="a", title="Spoilt")
    maker.done(model="b", title="Whole")
    (folder / "result.json").write_text("{}")
    data = suite.read(maker.write(), "demo")
    assert [run.outcome.state for run in data.runs] == ["failed", "done"]
    assert str(maker.project.root) not in text(tables.failures(data))


def test_a_run_with_a_torn_last_line_counts_whole_captions(maker: SuiteMaker) -> None:
    maker.base()
    folder = maker.failed(captions=["One.", "Two."])
    with (folder / "fused.jsonl").open("a") as file:
        file.write('{"scene": {"ind')
    assert suite.read(maker.write(), "demo").runs[0].captions == 2


def test_every_run_and_scenario_has_one_tidy_row(maker: SuiteMaker) -> None:
    maker.base(scenes=3, scene_s=10)
    maker.done(repeat=1, time_s=15)
    maker.done(repeat=2, time_s=18, parts=2)
    maker.failed()
    table = summary.frame(suite.read(maker.write(), "demo"))
    assert len(table) == 6
    assert list(table["state"]).count("failed") == 2
    offline = table[(table["scenario"] == "offline") & (table["state"] == "done")]
    assert list(offline["rtf"]) == [0.5, 0.6]
    assert list(offline["in_statistics"]) == [True, False]
    assert table[table["state"] == "failed"]["time_s"].isna().all()


def test_a_sample_of_the_scenes_has_no_real_time_factor(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(single_stream=scenario("single-stream", 2, 8))
    table = summary.frame(suite.read(maker.write(), "demo"))
    assert table[table["scenario"] == "single-stream"]["rtf"].isna().all()


def test_the_rate_of_new_tokens_leaves_out_the_first_of_each_caption() -> None:
    one = scenario("single-stream", 2, 10)
    assert rates.decode_rate(one) == pytest.approx((120 - 2) / 5.5)


def test_single_stream_parts_add_up_to_the_time_per_scene(maker: SuiteMaker) -> None:
    one = scenario("single-stream", 4, 20)
    assert sum(rates.parts_per_scene(one)) == pytest.approx(rates.seconds_per_scene(one))


def test_memory_without_a_gpu_says_so(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(resources=Resources(samples=9, peak_ram_mib=512))
    page = text(tables.memory(suite.read(maker.write(), "demo")))
    assert "512 MiB" in page
    assert "— no GPU" in page


def test_each_kind_of_memory_is_held_against_what_there_is(maker: SuiteMaker) -> None:
    maker.base()
    used = {"samples": 9, "peak_ram_mib": 6554, "peak_vram_mib": 6144}
    held = {"peak_torch_allocated_mib": 4096, "peak_torch_reserved_mib": 5120}
    maker.done(resources=Resources(**used, **held, peak_device_vram_mib=12288))
    maker.done(repeat=2, resources=Resources(**used, peak_device_vram_mib=8192))
    page = text(tables.memory(suite.read(maker.write(), "demo")))
    for peak, share in [
        ("6.4 GiB", "10% of 64.0 GiB"),
        ("6.0 GiB", "25% of 24.0 GiB"),
        ("12.0 GiB", "50% of 24.0 GiB"),
        ("4.0 GiB", "17% of 24.0 GiB"),
        ("5.0 GiB", "21% of 24.0 GiB"),
    ]:
        assert f"{peak} {share}" in cells(page)


def test_kinds_of_memory_that_nobody_counted_have_no_column(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    page = text(tables.memory(suite.read(maker.write(), "demo")))
    assert "9.0 GiB" in page
    assert "Torch" not in page
    assert "Device VRAM" not in page


def test_each_stage_has_its_share_of_the_sum_of_all(maker: SuiteMaker) -> None:
    # 2 s of frames, which all stages share, and 8 s of stages.
    maker.base(stages=[StageReport(name=n, state="done", time_s=4) for n in ("scenes", "speech")])
    page = text(stages.stages(suite.read(maker.write(), "demo")))
    assert "2.00 s 20%" in cells(page)
    assert cells(page).count("4.00 s 40%") == 2
    assert "10.0 s" in cells(page)


def test_a_total_without_what_was_taken_over_says_so(maker: SuiteMaker) -> None:
    stage = StageReport(name="scenes", state="done", time_s=4, reused=True)
    listen = StageReport(name="sounds", state="done", time_s=1)
    maker.base("match", "Match", stages=[stage, listen], decode_s=0.0, total_s=1.2)
    maker.base("recipe", "Recipe", stages=[listen], total_s=0.5, resumed=True)
    page = cells(text(stages.stages(suite.read(maker.write(), "demo"))))
    assert "1.20 s without 1 stage taken over" in page
    assert "0.50 s since it was resumed" in page
    # No frames were looked at: their time is of another run, too.
    assert page[:5] == ["Match", "30.0 s", "3", "—", "4.00 s 80%"]


def test_work_in_batches_stands_beside_the_time_by_the_clock(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    overlapped = scenario("offline", 3, 15).model_copy(update={"time_s": 12.0})
    maker.done(offline=overlapped)
    data = suite.read(maker.write(), "demo")
    page = text(tables.offline(data))
    assert "4.00 s" in cells(page)  # By the clock.
    assert "2.75 s" in cells(page)  # Decoding.
    assert "15.0" in cells(page)  # 180 new tokens in 12 s.
    drawn = text(charts.offline(data))
    assert "decode 2.75 s" in drawn
    assert "by the clock 4.00 s" in drawn


def test_a_row_has_all_that_was_measured_of_its_scenario(maker: SuiteMaker) -> None:
    maker.base(scenes=10, scene_s=6)
    maker.done(
        single_stream=scenario("single-stream", 2, 8),
        offline=scenario("offline", 10, 30, energy_j=1200),
        resources=Resources(samples=9, peak_device_vram_mib=12288, foreign_gpu_processes=1),
    )
    rows = summary.frame(suite.read(maker.write(), "demo")).set_index("scenario")
    offline, alone = rows.loc["offline"], rows.loc["single-stream"]
    assert (offline["energy_j"], offline["joules_per_video_minute"]) == (1200, 1200)
    assert offline["mean_power_w"] == 40
    assert (offline["rtf"], offline["rtf_of_all_scenes"]) == (0.5, 0.5)
    assert alone["rtf_of_all_scenes"] == pytest.approx(40 / 60)
    assert (alone["seconds_per_scene"], alone["ttft_s"]) == (4, pytest.approx(0.8))
    assert alone["prefill_tokens_per_s"] == pytest.approx(1800 / 1.6)
    assert offline["new_tokens_per_s"] == 20
    assert offline["visual_tokens_per_frame"] == 400
    assert (offline["peak_device_vram_mib"], offline["foreign_gpu_processes"]) == (12288, 1)
    # A scene's share of a batch is no latency.
    assert rows["ttft_s"].isna()["offline"]


def test_a_skipped_stage_is_listed_with_its_reason(maker: SuiteMaker) -> None:
    maker.base(
        stages=[
            StageReport(name="scenes", state="done", time_s=3),
            StageReport(name="sounds", state="skipped", reason="no weights on this machine"),
        ]
    )
    maker.done()
    page = text(stages.stages(suite.read(maker.write(), "demo")))
    assert "no weights on this machine" in page


def test_the_first_screen_names_stages_that_had_no_weights(maker: SuiteMaker) -> None:
    done = StageReport(name="scenes", state="done")
    silent = StageReport(name="speech", state="skipped", reason="the video has no audio stream")
    bare = StageReport(name="sounds", state="skipped", remedy="run `make fetch BASE=default`")
    maker.base("match", "Match", stages=[done, silent, bare])
    maker.base("recipe", "Recipe", stages=[done, silent])
    maker.done()
    told = text(ReportSession(maker.write(), "demo").overview())
    assert (
        "Skipped in base processing of Match, as their weights are not on this machine: sounds."
        in told
    )
    assert "run `make fetch BASE=default`, and bench again" in told


def test_a_video_that_could_not_be_used_takes_no_model_out_of_the_verdict(
    maker: SuiteMaker,
) -> None:
    maker.base()
    maker.done()
    before = text(ReportSession(maker.write(), "demo").overview())
    maker.bases.append(PlannedBase(video="gone", title="Gone", folder="", problem="it is gone"))
    told = text(ReportSession(maker.write(), "demo").overview())
    assert "Left out of all that follows: Gone (it is gone)." in told
    assert "keeps up with" in before and "keeps up with" in told
    assert "Not ranked" not in told


def test_nothing_is_said_of_weights_where_none_were_wanting(maker: SuiteMaker) -> None:
    silent = StageReport(name="speech", state="skipped", reason="the video has no audio stream")
    maker.base(stages=[StageReport(name="scenes", state="done"), silent])
    maker.done()
    assert "weights are not on this" not in text(ReportSession(maker.write(), "demo").overview())


def test_failed_base_processing_shows_how_far_it_got(maker: SuiteMaker) -> None:
    maker.base(
        status=Status(state="failed", reason="error", message="speech failed: no space left"),
        stages=[
            StageReport(name="frames", state="done", time_s=7),
            StageReport(name="scenes", state="done", time_s=3),
            StageReport(name="speech", state="failed", reason="no space left"),
        ],
    )
    maker.plan(problem="base processing failed")
    data = suite.read(maker.write(), "demo")
    page = text(stages.stages(data))
    assert "7.00 s" in page
    assert "no space left" in page
    assert "Base processing" in text(tables.failures(data))
