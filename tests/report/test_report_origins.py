"""Where the numbers come from: parameters, files, machines, versions, and what ran meanwhile."""

from __future__ import annotations

import json

from helpers.cells import cells
from helpers.suites import MACHINE, SuiteMaker, provenance

from kairos_lib.measure.usage import Resources
from kairos_lib.report.sections import provenance as section
from kairos_lib.results import suite

PARAMETERS = {
    "frames": {"count": 2, "sampling": "start_middle"}, "batch_size": 8, "allocator": "",
    "prompt": {"context": ["speech", "sounds"], "instruction": "Say <b>what</b> happens."},
    "server": {"base_url": "https://someone:secret@example.org/v1", "concurrency": 8},
}  # fmt: skip


def page(maker: SuiteMaker) -> str:
    piece = section.provenance(suite.read(maker.write(), "demo"))
    assert piece is not None
    return str(piece.markup)


def test_parameters_are_told_as_resolved_and_marked_where_nobody_gave_them(
    maker: SuiteMaker,
) -> None:
    maker.base()
    maker.done(key={"parameters": PARAMETERS}, given={"batch_size": 8, "frames": {"count": 2}})
    shown = page(maker)
    assert '<th scope="row">frames.count</th>' in shown
    assert "2" in cells(shown)
    assert "start_middle by default" in cells(shown)
    assert "8" in cells(shown)
    assert "speech, sounds" in shown
    assert "Say &lt;b&gt;what&lt;/b&gt; happens." in shown


def test_an_address_of_a_server_is_not_told(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(key={"parameters": PARAMETERS})
    shown = page(maker)
    assert "server.concurrency" in shown
    assert "secret" not in shown


def test_a_run_of_old_that_does_not_tell_what_was_given_marks_nothing(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(key={"parameters": PARAMETERS})
    assert "by default" not in page(maker)


def test_a_spoilt_key_costs_its_own_parameters_alone(maker: SuiteMaker) -> None:
    maker.base()
    (maker.done(model="a", title="Spoilt") / "key.json").write_text("{torn")
    maker.done(model="b", title="Whole", key={"parameters": {"batch_size": 8}})
    assert '<th scope="row">batch_size</th>' in page(maker)


def test_a_video_is_known_by_its_hash(maker: SuiteMaker) -> None:
    maker.base(title="Match")
    maker.done()
    shown = page(maker)
    assert "0" * 64 in shown
    assert "640 × 360" in shown


def test_kernels_with_other_packages_are_told_apart(maker: SuiteMaker) -> None:
    maker.base()
    folder = maker.done(title="Own kernel")
    other = provenance(MACHINE) | {"packages": {"torch": "2.1.0"}}
    (folder / "provenance.json").write_text(json.dumps(other))
    shown = page(maker)
    assert "Packages of each kernel" in shown
    assert "Base processing" in shown
    assert [version in shown for version in ("2.8.0", "2.1.0", "absent")] == [True] * 3


def test_one_environment_is_one_line(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    assert "<span>torch 2.8.0</span>" in page(maker)


def test_clocks_are_told_of_processor_and_gpu(maker: SuiteMaker) -> None:
    gpu = {
        **MACHINE["gpus"][0], "sm_clock_mhz": 1200, "max_sm_clock_mhz": 2040,
        "max_memory_clock_mhz": 6251,
    }  # fmt: skip
    maker.base()
    maker.done(machine={**MACHINE, "cpu_max_mhz": 3900.0, "gpus": [gpu]})
    shown = page(maker)
    assert "16 threads, up to 3900 MHz" in shown
    assert "driver 555.1, processors up to 2040 MHz, memory up to 6251 MHz" in shown
    assert "1200 of 2040 MHz" in shown


def test_threads_that_computed_and_how_they_waited_are_told(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(machine={**MACHINE, "compute_threads": 8, "wait_policy": "passive"})
    assert "16 threads; 8 computed, passive waiting" in page(maker)


def test_what_others_did_on_the_machine_stands_beside_each_run(maker: SuiteMaker) -> None:
    maker.base()
    used = {"samples": 90, "peak_vram_mib": 9216, "mean_cpu_cores": 1.1, "mean_gpu_percent": 88.0}
    maker.done(resources=Resources(**used, foreign_vram_mib=300, foreign_gpu_processes=1))
    maker.done(repeat=2, resources=Resources(**used, foreign_cpu_cores=0.7, foreign_vram_mib=12))
    table = page(maker).split("What ran meanwhile: the highest of the repeats</caption>")[1]
    table = "<table>" + table.split("</table>")[0]
    for value in ("1.1", "88%", "0.7", "300 MiB", "1"):
        assert value in cells(table)


def test_what_was_not_heeded_of_a_checkpoint_is_told_beside_its_model(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(generation_left_out=("repetition_penalty: 1.05", 'stop_strings: ["<b>"]'))
    assert 'repetition_penalty: 1.05, stop_strings: ["<b>"]' in cells(page(maker))
