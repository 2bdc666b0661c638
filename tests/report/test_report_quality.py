"""How good captions are, as the report's tables tell it."""

from __future__ import annotations

import pytest
from helpers.judging import NANO, TOLD, WRONG, read, refer, rows, text
from helpers.suites import SuiteMaker

from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.pipeline.records import StageReport
from kairos_lib.quality.judgement import Judged
from kairos_lib.report.sections.quality import own_quality, reference_quality
from kairos_lib.results import suite as suites
from kairos_lib.results.caption_quality import Quality, quality_of
from kairos_lib.vlm.records import Caption


def of(quality: Quality, model: str) -> Judged:
    return next(one.judged for one in quality.pairs if one.pair.model == model)


def test_captions_are_held_against_the_references_of_their_scenes(maker: SuiteMaker) -> None:
    maker.base()
    refer(maker, spans=2)
    maker.done(model="a", title="Right", captions=TOLD)
    maker.done(model="b", title="Wrong", captions=WRONG)
    page = reference_quality(read(maker))
    right, wrong = rows(page)
    assert right[:4] == ["Right", "Match", "2", "—"]
    assert right[4].split() == ["100.0", "2", "scenes"]
    assert right[5:7] == ["100.0", "100.0"]
    assert float(wrong[4].split()[0]) < 20
    assert float(wrong[5]) < 30
    assert "BLEU by sacrebleu: nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in text(page)
    assert "2 captions left out" in text(page)


def test_a_suite_without_references_says_that_truth_was_not_measured(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    page = text(reference_quality(read(maker)))
    assert "No video of this suite has reference captions" in page
    assert "<table" not in page


def test_a_suite_without_captions_has_no_quality(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed(captions=["One."])
    data = read(maker)
    assert reference_quality(data) is None
    assert own_quality(data) is None


def test_in_the_nano_world_true_attributes_are_counted(maker: SuiteMaker) -> None:
    truth = ClipTruth.of_demo("demo-match")
    maker.base(scenes=1, scene_s=truth.scenes[0].end_s)
    refer(maker, truth=CLIPS / "demo-match.json")
    maker.done(captions=[truth.scenes[0].caption.replace("blue", "white")], **NANO)
    page = reference_quality(read(maker))
    assert rows(page)[0][3].split() == ["90.9%", "10", "of", "11"]
    attributes = rows(page, table=1)[0]
    assert attributes[4].split() == ["50.0%", "of", "2"]
    assert attributes[5].split() == ["100.0%", "of", "2"]


def test_noise_gets_no_number_and_counts_for_nobody(maker: SuiteMaker) -> None:
    maker.base()
    refer(maker)
    maker.done(model="a", title="Noise", captions=TOLD, weights_source="dummy")
    maker.done(model="b", title="Lost", captions=TOLD, weights_source="nano")
    maker.done(model="c", title="Real", captions=TOLD)
    data = read(maker)
    for page, table in (
        (reference_quality(data), 0),
        (own_quality(data), 0),
        (own_quality(data), 1),
    ):
        noise, lost, real = rows(page, table)
        assert noise[2] == "noise"
        assert lost[2] == "means nothing"
        assert set(noise[3:6]) == set(lost[3:6]) == {"—"}
        assert any(cell[0].isdigit() for cell in real[3:6])
    quality = quality_of(data)
    assert of(quality, "a") == of(quality, "b") == Judged()
    assert of(quality, "c").agreement.value is None


def test_captions_of_a_run_that_failed_are_not_judged(maker: SuiteMaker) -> None:
    maker.base()
    refer(maker)
    maker.failed(title="Broken", captions=TOLD)
    maker.done(title="Whole", captions=TOLD)
    assert [row[2] for row in rows(reference_quality(read(maker)))] == ["not measured", "3"]


def test_a_spoilt_file_of_captions_spoils_no_other(maker: SuiteMaker) -> None:
    maker.base()
    folder = maker.done(model="a", title="Spoilt")
    maker.done(model="b", title="Whole")
    (folder / "fused.jsonl").write_text("{}\n" * 3)
    assert [row[2] for row in rows(own_quality(read(maker)))] == ["not measured", "3"]


def test_objects_are_compared_with_what_the_detector_found(maker: SuiteMaker) -> None:
    maker.base()
    captions = ["A man kicks a ball.", "A ball.", "Fog."]
    maker.done(model="a", title="Sees", captions=captions)
    maker.done(model="b", title="Blind", captions=["Fog.", "Rain.", "Snow."])
    sees, blind = rows(own_quality(read(maker)))
    assert sees[3].split() == ["50.0%", "[0.0%", "–", "100.0%],", "3", "of", "6"]
    assert sees[4].split() == ["0.0%", "0", "of", "3"]
    assert blind[4] == "—"


@pytest.mark.parametrize(
    "report",
    [
        StageReport(name="objects", state="skipped", reason="no weights"),
        StageReport(name="objects", state="done", weights_source="nano"),
    ],
)
def test_without_a_detector_that_knows_the_video_objects_are_not_measured(
    maker: SuiteMaker, report: StageReport
) -> None:
    maker.base(stages=[StageReport(name="scenes", state="done"), report])
    maker.done(captions=["A man kicks a ball."] * 3)
    (row,) = rows(own_quality(read(maker)))
    assert row[3:5] == ["—", "—"]


def test_how_captions_are_worded_is_told_with_how_many(maker: SuiteMaker) -> None:
    maker.base(scenes=4)
    loop = "the man walks on the man walks on the man walks on"
    captions: list[str | Caption] = [
        Caption(scene=0, text=loop, truncated=True),
        "I'm sorry, but I cannot describe this image for you.",
        "",
        Caption(scene=3, text="", error="ran out of memory"),
    ]
    maker.done(captions=captions)
    (row,) = rows(own_quality(read(maker)), table=1)
    assert row[2] == "7.7"
    assert row[3].split() == ["27.8%", "[0.0%", "–", "55.6%],", "2", "scenes"]
    assert row[6].split()[0] == "en"
    assert row[7:] == ["1", "1", "1"]


def test_captions_are_judged_once_for_each_suite_that_is_read(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    data = read(maker)
    assert quality_of(data) is quality_of(data)
    assert quality_of(suites.read(maker.project, "demo")) is not quality_of(data)


def test_variants_of_one_model_do_not_count_as_agreement(maker: SuiteMaker) -> None:
    maker.base()
    for name in ("m-bf16", "m-nf4"):
        maker.done(model=name, title=name, captions=TOLD)
        maker.runs[-1] = maker.runs[-1].model_copy(update={"variant_of": "m-bf16"})
    assert of(quality_of(read(maker)), "m-nf4").agreement.value is None
