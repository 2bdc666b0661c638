"""`kairos compare`: what is called faster, slower or neither, and what is said beside it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.compared import NOISE, begin, change_json, rounds, times
from helpers.suites import MACHINE, SuiteMaker

from kairos_lib.cli import main
from kairos_lib.media.scene import Scene
from kairos_lib.runs.journal import Journal


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SuiteMaker:
    """A checkout with a suite `demo`: a model `small` in five rounds over one video."""
    maker = SuiteMaker(tmp_path / "here")
    maker.base()
    rounds(maker)
    maker.write()
    monkeypatch.setenv("KAIROS_ROOT", str(maker.project.root))
    return maker


@pytest.fixture
def there(tmp_path: Path) -> SuiteMaker:
    """Another checkout, whose suite a test fills."""
    return SuiteMaker(tmp_path / "there")


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", *arguments], catch_exceptions=False)


def measured(*arguments: str) -> dict[str, dict[str, object]]:
    """Each row of the JSON by its measure, of a comparison of one model over one video."""
    found = json.loads(compare(*arguments, "--json").stdout)
    return {row["measure"]: row for row in found["rows"]}


def other(there: SuiteMaker, factor: float = 1.0, **done: object) -> str:
    """The same model in the other checkout, so much slower, in turn with the first."""
    there.base()
    rounds(there, times_s=times(factor), later_min=5, **done)
    there.write()
    return f"{there.project.root}:demo"


def test_b_that_takes_longer_in_every_round_is_slower_and_a_regression(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    answer = compare("demo", other(there, 1.10))
    assert answer.exit_code == 1
    assert "slower" in answer.output
    assert "regression: Small, VLM time: B takes 1.10" in answer.output
    row = measured("demo", f"{there.project.root}:demo")["vlm_time"]
    assert row["ratio"] == pytest.approx(1.10, rel=0.001)
    assert 1.05 < float(str(row["low"])) < 1.10 < float(str(row["high"])) < 1.16
    assert row["regression"] is True


def test_b_that_takes_less_in_every_round_is_faster_and_no_regression(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    answer = compare("demo", other(there, 0.8))
    assert answer.exit_code == 0
    assert "faster" in answer.output
    assert "no regression of 5% or more is shown" in answer.output


def test_noise_alone_shows_no_difference(here: SuiteMaker, there: SuiteMaker) -> None:
    answer = compare("demo", other(there))
    assert answer.exit_code == 0
    assert answer.output.count("no difference shown") == 3


def test_a_slowdown_below_the_threshold_is_told_but_is_no_regression(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    given = ("demo", other(there, 1.10))
    answer = compare(*given, "--threshold", "0.15")
    assert answer.exit_code == 0
    assert "slower" in answer.output
    assert "no regression of 15% or more" in answer.output


def test_a_large_difference_with_as_much_noise_is_not_called_one(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    there.base()
    rounds(there, times_s=(0.8, 1.9, 0.7, 1.6, 1.2), later_min=5)
    there.write()
    row = measured("demo", f"{there.project.root}:demo")["vlm_time"]
    assert float(str(row["ratio"])) > 1.1
    assert row["verdict"] == "no difference shown"


def test_two_models_of_one_suite_can_be_compared(here: SuiteMaker) -> None:
    rounds(here, "large", times_s=times(2), later_min=5)
    here.write()
    answer = compare("demo:small", "demo:large")
    assert answer.exit_code == 1
    assert "Small → Large" in answer.output
    assert "left out" not in answer.output
    assert compare("demo:large", "demo:small").exit_code == 0


def test_more_memory_is_told_but_decides_nothing(here: SuiteMaker, there: SuiteMaker) -> None:
    from kairos_lib.measure.usage import Resources

    used = Resources(samples=9, peak_ram_mib=2048, peak_vram_mib=2 * 9216)
    answer = compare("demo", other(there, resources=used))
    assert answer.exit_code == 0
    assert "more" in answer.output


def test_several_videos_are_decided_together(here: SuiteMaker, there: SuiteMaker) -> None:
    for maker, factor in ((here, 1.0), (there, 1.2)):
        maker.runs.clear()
        maker.bases.clear()
        for video in ("match", "recipe"):
            maker.base(video, video.title())
            rounds(maker, video=video, times_s=times(factor), later_min=5 * (maker is there))
        maker.write()
    found = json.loads(compare("demo", f"{there.project.root}:demo", "--json").stdout)
    decides = {(row["video"], row["measure"]) for row in found["rows"] if row["decides"]}
    assert decides == {("all videos", "vlm_time"), ("all videos", "single_stream")}
    assert {row["video"] for row in found["rows"]} == {"Match", "Recipe", "all videos"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [({"parts": 2}, "B was interrupted and resumed"), (None, "B failed (out of memory)")],
)
def test_resumed_and_failed_runs_are_left_out_and_said(
    here: SuiteMaker, there: SuiteMaker, spoil: dict[str, int] | None, reason: str
) -> None:
    given = other(there)
    there.runs.pop()
    if spoil:
        there.done(repeat=5, time_s=99, **spoil)
    else:
        there.failed("small", "Small", repeat=5)
        (there.project.root / there.runs[-1].folder / "result.json").unlink()
    there.write()
    answer = compare("demo", given)
    assert answer.exit_code == 0
    assert f"small, match, round 5: {reason}" in answer.output
    assert measured("demo", given)["vlm_time"]["rounds"] == 4


def test_runs_that_were_not_made_in_turn_are_marked(here: SuiteMaker, there: SuiteMaker) -> None:
    given = other(there)
    assert "not interleaved" not in compare("demo", given).output
    for number, planned in enumerate(there.runs):
        begin(there.project.root / planned.folder, f"2026-03-02T18:{number:02d}:00.000+00:00")
    assert "not interleaved (small on match)" in compare("demo", given).output


@pytest.mark.parametrize(
    ("machine", "mark"),
    [
        (
            {**MACHINE, "compute_threads": 1, "wait_policy": "active"},
            "B on Example CPU 9000 (16 threads; 1 computed, active waiting)",
        ),
        ({**MACHINE, "cpu": "Other CPU"}, "different machines: A on Example CPU 9000 (16 threads)"),
        ({**MACHINE, "boot_time_s": 5000}, "different boots"),
        ({**MACHINE, "boot_time_s": 3}, ""),
    ],
)
def test_runs_of_another_machine_or_boot_are_marked(
    here: SuiteMaker, there: SuiteMaker, machine: dict[str, object], mark: str
) -> None:
    page = compare("demo", other(there, machine=machine)).output
    assert mark in page
    assert mark or "different" not in page


def test_what_is_not_the_same_is_named(here: SuiteMaker, there: SuiteMaker) -> None:
    given = other(there)
    for maker, precision, numpy in ((here, "float32", "2.1"), (there, "bfloat16", "2.2")):
        folder = maker.project.root / maker.runs[0].folder
        change_json(folder / "key.json", parameters={"dtype": precision})
        change_json(folder / "provenance.json", packages={"numpy": numpy})
    page = compare("demo", given).output
    assert "Small: parameters.dtype: float32 → bfloat16" in page
    assert "Small: packages.numpy: 2.1 → 2.2" in page


def test_scenes_that_were_cut_otherwise_are_not_compared_as_a_whole(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    given = other(there)
    scenes = [Scene(index=0, start_s=0, end_s=10), Scene(index=1, start_s=10, end_s=30)]
    Journal(there.project.root / there.bases[0].folder / "scenes.jsonl", Scene).write_all(
        iter(scenes)
    )
    rows = measured("demo", given)
    assert rows["vlm_time"]["verdict"] == "not compared"
    assert rows["single_stream"]["rounds"] == 5
    assert "only the 1 that both have" in compare("demo", given).output


def test_another_file_under_the_same_name_is_not_compared(
    here: SuiteMaker, there: SuiteMaker
) -> None:
    given = other(there)
    result = there.project.root / there.bases[0].folder / "result.json"
    facts = {**json.loads(result.read_text())["facts"], "sha256": "1" * 64}
    change_json(result, facts=facts)
    answer = compare("demo", given)
    assert answer.exit_code == 2
    assert "small, match: B's is another file (SHA-256)" in answer.output


def test_the_same_file_under_another_name_is_compared(here: SuiteMaker, there: SuiteMaker) -> None:
    there.base("game", "Game")
    rounds(there, video="game", times_s=times(1), later_min=5)
    there.write()
    assert measured("demo", f"{there.project.root}:demo")["vlm_time"]["rounds"] == 5


def test_too_few_rounds_give_a_ratio_and_no_verdict(here: SuiteMaker, there: SuiteMaker) -> None:
    there.base()
    rounds(there, times_s=(1.1, 1.1), later_min=5)
    there.write()
    answer = compare("demo", f"{there.project.root}:demo")
    assert answer.exit_code == 2
    assert "too few rounds" in answer.output
    assert "REPEATS=5" in answer.output
    assert "1.089" in answer.output


@pytest.mark.parametrize(
    "named", ["{root}:demo", "{root}/runs:demo", "{root}/runs/suites/demo.json"]
)
def test_a_suite_of_another_checkout_is_named_by_its_folder(
    here: SuiteMaker, there: SuiteMaker, named: str
) -> None:
    other(there)
    given = named.format(root=there.project.root)
    assert measured("demo", given)["vlm_time"]["rounds"] == len(NOISE)
    assert measured("demo:small", f"{given}:small")["vlm_time"]["rounds"] == len(NOISE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["demo"], "B is not given: name a suite"),
        (["demo", "dmo"], "B=dmo: no suite 'dmo' has been run: did you mean 'demo'?"),
        (["demo", "demo"], "are the same runs"),
        (["demo", "demo:smal"], "no model 'smal' in it: did you mean 'small'?"),
        (["demo", "/no/where:demo"], "there are no runs in /no/where"),
        (["demo", "."], "which suite? add ':' and one of demo"),
        (["demo", "demo:a:b"], "one model at most"),
        (["demo", "empty"], "have no model and video in common"),
        (["demo", "demo:small", "--threshold", "5%"], "THRESHOLD must be a share"),
        (["demo:small", "demo:small", "--model", "small"], "MODEL is for models of the same name"),
        (["demo", "demo", "--model", "large"], "MODEL=large: A=demo has small"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    here: SuiteMaker, monkeypatch: pytest.MonkeyPatch, given: list[str], expected: str
) -> None:
    monkeypatch.chdir(here.project.root)
    alone = SuiteMaker(here.project.root)
    alone.base("recipe", "Recipe")
    rounds(alone, "tiny", video="recipe")
    alone.write("empty")
    answer = compare(*given)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert expected in line


def test_odd_names_are_shown_as_they_are(here: SuiteMaker, there: SuiteMaker) -> None:
    shutil.rmtree(there.project.root)
    odd = SuiteMaker(there.project.root.with_name("a [b]:c"))
    odd.base()
    rounds(odd, times_s=times(1), later_min=5)
    odd.write()
    answer = compare("demo", f"{odd.project.root}:demo")
    assert answer.exit_code == 0
    assert f"B: {odd.project.root}:demo" in answer.output.splitlines()
