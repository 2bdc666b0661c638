"""A model's run by hand, as in JupyterLab: the same files, without a runner."""

import gc
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.disk import Disk
from helpers.light_meter import TASK, LightMeter
from helpers.projects import tiny_model, write_parameters
from helpers.sessions import run_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, by_id, suite_of
from kairos_lib.errors import KairosError
from kairos_lib.events.events_session import EventsSession
from kairos_lib.measure import energy
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.adapter import Generated, OutOfMemoryError, Prepared, Request
from kairos_lib.vlm.families.llava_next import Family
from kairos_lib.vlm.forecast import forecast
from kairos_lib.vlm.gpu_memory import Peaks
from kairos_lib.vlm.records import Caption, FusedScene
from kairos_lib.vlm.scores import NO_NUMBERS
from kairos_lib.vlm.tables import captions_table
from kairos_lib.vlm.vlm_session import VlmSession


@pytest.fixture
def ready(small: Project) -> Project:
    BaseSession.open("twelve", "plain").process()
    write_parameters(small, "models", "auto", tiny_model(Path("w"), family="auto"))
    return small


def test_a_run_needs_its_base(small: Project) -> None:
    with pytest.raises(KairosError, match=r"base processing of twelve is not done: run base.ipynb"):
        VlmSession.open("tiny", "twelve", "plain")


def test_a_run_captions_every_scene_and_sums_up(ready: Project) -> None:
    session = VlmSession.open("tiny", "twelve", "plain")
    result = run_all(session)
    assert (result.scenes, result.offline.scenes, result.single_stream.scenes) == (12, 12, 3)
    assert result.offline.parts == result.single_stream.parts == 1
    assert result.rtf == pytest.approx(result.offline.time_s / 12.0)
    timing = result.single_stream.timing
    parts_s = sum(value for name, value in timing.model_dump().items() if name != "total_s")
    assert parts_s == pytest.approx(timing.total_s, rel=0.02)
    assert result.single_stream.time_s == pytest.approx(timing.total_s, rel=0.02)


@settings(
    derandomize=True, deadline=None, max_examples=4,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_later(
    ready: Project, share: float
) -> None:
    shutil.rmtree(ready.runs / "vlm", ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        whole = Disk(ready.runs / "vlm", patch)
        run_all(VlmSession.open("tiny", "twelve", "plain"))
    gc.collect()
    shutil.rmtree(ready.runs / "vlm")
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(ready.runs / "vlm", patch)
        disk.room = int(share * len(whole.names))
        with pytest.raises(KairosError, match="the disk is full: there is no room to write"):
            run_all(VlmSession.open("tiny", "twelve", "plain"))
    gc.collect()  # What was opened, and its lock, with it.
    session = VlmSession.open("tiny", "twelve", "plain")
    assert run_all(session).offline.scenes == 12
    assert [caption.scene for caption in session.captioning.captions] == list(range(12))


def test_what_gpus_used_and_held_is_in_the_result(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters_j = iter([100.0, 350.0])
    monkeypatch.setattr(energy, "used_j", lambda placement: next(counters_j))
    monkeypatch.setattr(Family, "memory_peaks", lambda self: Peaks(700.0, 900.0))
    session = VlmSession.open("tiny", "twelve", "plain")
    result = run_all(session)
    assert result.offline.energy_j == 250.0
    assert result.single_stream.energy_j is None
    held = result.resources
    assert (held.peak_torch_allocated_mib, held.peak_torch_reserved_mib) == (700.0, 900.0)
    assert held.samples > 0


@pytest.mark.parametrize("said", [{}, {"synthetic": True}, {"truth": "videos/truth.json"}])
def test_every_kind_of_result_tells_whether_a_program_drew_the_video(
    small: Project, said: dict[str, object]
) -> None:
    video = {"title": "Twelve", "path": "videos/twelve.mp4", **said}
    write_parameters(small, "videos", "twelve", video)
    write_parameters(small, "events", "light", TASK)
    base = BaseSession.open("twelve", "plain")
    base.process()
    captioned = run_all(VlmSession.open("tiny", "twelve", "plain"))
    spotting = EventsSession.open("tiny", "twelve", "light")
    spotting.load(LightMeter())
    spotting.ask()
    spotting.merge()
    spotting.finish()
    for result in (base.run.result(BaseResult), captioned, spotting.result):
        assert result is not None
        assert result.synthetic_video == bool(said)


def test_a_result_tells_what_the_model_is_and_what_it_was_given(ready: Project) -> None:
    session = VlmSession.open(
        "tiny", "twelve", "plain", changes={"generation": {"max_new_tokens": 3}}
    )
    result = run_all(session)
    assert result.architecture is not None
    assert result.architecture.language.kind == "llama"
    # On a CPU nothing counts energy, nor torch its memory.
    assert result.offline.energy_j is None
    assert result.resources.peak_torch_allocated_mib is None
    assert (result.offline.frames, result.single_stream.frames) == (24, 6)
    given = json.loads(session.run.file("provenance.json").read_text())["given"]
    assert given["generation"] == {"max_new_tokens": 3}
    assert given["frames"] == {"longest_px": 56}
    # What is by default was not given, and where weights lie is nobody's business.
    assert "attention" not in given
    assert "id" not in given["weights"]


def test_one_file_tells_all_that_is_known_of_each_scene(ready: Project) -> None:
    session = VlmSession.open("tiny", "twelve", "plain")
    run_all(session)
    fused = list(Journal(session.run.file("fused.jsonl"), FusedScene))
    assert [f.scene.index for f in fused] == list(range(12))
    assert [f.scene.start_s for f in fused] == pytest.approx(range(12))
    assert all(f.caption.text for f in fused)
    assert [f.scene.index for f in fused if f.single_stream] == [0, 4, 8]
    assert fused[0].prompt == "Describe the scene."


def test_notebooks_number_scenes_as_reports_do(ready: Project) -> None:
    base = BaseSession.open("twelve", "plain")
    assert base.scenes()["scene"].tolist() == list(range(1, 13))
    session = VlmSession.open("tiny", "twelve", "plain")
    for index in (0, 11):
        session.captioning.captions.append(Caption(scene=index, text="A scene."))
    assert captions_table(session.captioning.captions).data["scene"].tolist() == [1, 12]


def test_a_run_cut_short_goes_on_with_the_scenes_that_are_missing(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter_j = itertools.count()
    monkeypatch.setattr(energy, "used_j", lambda placement: float(next(counter_j)))
    whole = VlmSession.open("tiny", "twelve", "plain", repeat=1)
    assert run_all(whole).offline.energy_j == 1.0
    cut = VlmSession.open("tiny", "twelve", "plain", repeat=2)
    cut.load()
    cut.single_stream()
    cut.offline()
    # As a kill in the middle of a batch would leave it: 6 captions, the last one torn.
    lines = cut.captioning.captions.path.read_bytes().splitlines(keepends=True)
    cut.captioning.captions.path.write_bytes(b"".join(lines[:6])[:-9])
    cut.captioning.batches.path.write_bytes(
        b"".join(cut.captioning.batches.path.read_bytes().splitlines(keepends=True)[:2])
    )
    cut.lock.release()
    resumed = VlmSession.open("tiny", "twelve", "plain", repeat=2)
    result = run_all(resumed)
    assert [c.scene for c in resumed.captioning.captions] == list(range(12))
    assert [c.text for c in resumed.captioning.captions] == [
        c.text for c in whole.captioning.captions
    ]
    assert [b.scenes for b in resumed.captioning.batches] == [
        b.scenes for b in whole.captioning.batches
    ]
    assert result.offline.parts == 2
    assert result.single_stream.parts == 1
    # A counter that was read in another sitting says nothing of what lay between.
    assert result.offline.energy_j is None


def test_the_time_of_a_resumed_run_is_the_sum_of_its_sittings(ready: Project) -> None:
    session = VlmSession.open("tiny", "twelve", "plain")
    session.load()
    session.single_stream()
    session.offline()
    first = list(session.captioning.captions)
    second = [c.model_copy(update={"part": "later", "elapsed_s": 5.0 + c.scene}) for c in first[8:]]
    session.captioning.captions.write_all(iter([*first[:8], *second]))
    session.finish()
    result = session.result
    assert result is not None
    assert result.offline.time_s == pytest.approx(first[7].elapsed_s + 16.0)
    assert result.offline.parts == 2


def test_a_complete_run_is_shown_again_without_loading_anything(ready: Project) -> None:
    first = run_all(VlmSession.open("tiny", "twelve", "plain"))
    again = VlmSession.open("tiny", "twelve", "plain")
    assert "complete" in again.load()
    assert len(again.offline().data) == 12  # type: ignore[attr-defined]
    again.finish()
    assert again.result == first


def test_what_changes_the_captions_changes_the_key(ready: Project, llava_weights: Path) -> None:
    keys = set()
    for changes in (
        {},
        {"prompt": {"instruction": "Other words."}},
        {"batch_size": 2},
        {"quantisation": "nf4"},
        {"generation": {"max_new_tokens": 9}},
    ):
        write_parameters(ready, "models", "tiny", tiny_model(llava_weights, **changes))
        session = VlmSession.open("tiny", "twelve", "plain")
        keys.add(session.run.key)
        session.lock.release()
    assert len(keys) == 5


def test_weights_that_are_not_here_say_how_to_get_them(ready: Project) -> None:
    absent = {"source": "hub", "id": "nobody/nothing"}
    changes = {**tiny_model(Path("w")), "weights": absent}
    write_parameters(ready, "models", "tiny", changes)
    session = VlmSession.open("tiny", "twelve", "plain")
    with pytest.raises(KairosError, match="run `make fetch MODEL=tiny`"):
        session.load()
    session.lock.release()
    by_id = {"name": "a-b", "weights": {"source": "hub", "id": "a/b"}}
    session = VlmSession.open("tiny", "twelve", "plain", changes=by_id)
    with pytest.raises(KairosError, match="run `make fetch MODEL_ID=a/b`"):
        session.load()


def test_the_largest_batch_goes_by_the_memory_there_is(ready: Project, llava_weights: Path) -> None:
    write_parameters(ready, "models", "tiny", tiny_model(llava_weights, batch_size="auto"))
    session = VlmSession.open("tiny", "twelve", "plain")
    assert "largest batch: 64" in session.load()
    session.offline()
    assert [len(batch.scenes) for batch in session.captioning.batches] == [12]


def test_a_batch_that_failed_in_one_round_is_not_tried_in_the_next(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = Family.generate
    tried: list[int] = []

    def in_little_room(self: Family, prepared: Prepared, limit: int | None = None) -> Generated:
        tried.append(len(prepared.prompt_tokens))
        if tried[-1] > 2:
            raise OutOfMemoryError("too small")
        return generate(self, prepared, limit)

    monkeypatch.setattr(Family, "generate", in_little_room)
    for repeat in (1, 2):
        tried.clear()
        session = VlmSession.open("tiny", "twelve", "plain", repeat)
        run_all(session)
        assert max(tried) == (4 if repeat == 1 else 2)


def test_some_of_a_models_parameters_can_be_otherwise(ready: Project) -> None:
    changes = {"name": "tiny-short", "generation": {"max_new_tokens": 3}}
    session = VlmSession.open("tiny", "twelve", "plain", changes=changes)
    run_all(session)
    assert session.run.folder.parents[2].name == "tiny-short"
    assert {caption.new_tokens for caption in session.captioning.captions} <= {1, 2, 3}
    # The rest of what is nested is as it was.
    assert session.model.frames.longest_px == 56


def test_the_size_of_the_frames_is_recorded(ready: Project) -> None:
    session = VlmSession.open("tiny", "twelve", "plain")
    run_all(session)
    (size,) = {caption.frame_size_px for caption in session.captioning.captions}
    assert size is not None
    assert max(size) == 56


def test_scenes_whose_scores_are_no_numbers_fail_and_are_counted(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Family.load

    def first_row_spoiled(_: object, __: object, scores: Any) -> Any:
        return scores.index_fill(0, scores.new_zeros(1, dtype=int), float("nan"))

    def spoiled(self: Family) -> None:
        load(self)
        self.model.get_output_embeddings().register_forward_hook(first_row_spoiled)

    monkeypatch.setattr(Family, "load", spoiled)
    session = VlmSession.open("tiny", "twelve", "plain")
    result = run_all(session)
    assert [c.scene for c in session.captioning.captions if c.error] == [0, 4, 8]
    assert {c.error for c in session.captioning.captions} == {"", NO_NUMBERS}
    assert (result.offline.failed, result.offline.no_numbers) == (3, 3)
    assert (result.single_stream.failed, result.single_stream.no_numbers) == (3, 3)
    assert all(c.new_tokens == 0 for c in session.captioning.captions if c.error)


@pytest.mark.parametrize("value", [float("nan"), 3e38])
def test_a_model_whose_weights_are_damaged_comes_to_nothing_and_says_why(
    ready: Project, llava_weights: Path, tmp_path: Path, value: float
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(llava_weights, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["language_model.lm_head.weight"][::2] = value
    tensors["language_model.lm_head.weight"][1::2] = -value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_parameters(ready, "models", "tiny", tiny_model(folder))
    session = VlmSession.open("tiny", "twelve", "plain")
    session.load()
    session.single_stream()
    with pytest.raises(KairosError, match=r"no scene could be captioned: the model's scores are"):
        session.offline()


def test_a_scene_that_a_processor_refuses_is_a_failed_scene_and_the_run_goes_on(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = Family.tensors

    def refusing(self: Family, requests: list[Request]) -> object:
        if {0, 5} & {request.number for request in requests}:
            raise ValueError("absolute aspect ratio must be smaller than 200\n(more)")
        return tensors(self, requests)

    monkeypatch.setattr(Family, "tensors", refusing)
    session = VlmSession.open("tiny", "twelve", "plain")
    result = run_all(session)
    assert (result.offline.scenes, result.offline.failed) == (12, 2)
    assert (result.single_stream.scenes, result.single_stream.failed) == (3, 1)
    captions = {caption.scene: caption for caption in session.captioning.captions}
    assert {scene for scene, caption in captions.items() if not caption.text} == {0, 5}
    assert captions[5].error == "absolute aspect ratio must be smaller than 200"
    assert [batch.scenes[0] for batch in session.captioning.batches] == [0, 4, 8]


# Whose processors take a list of pictures, a list of lists, and videos as well.
@pytest.mark.parametrize("kind", ["llava", "gemma3", "mllama", "video_llava", "smolvlm"])
def test_any_checkpoint_captions_a_video_in_batches_and_is_forecast(
    ready: Project, checkpoint: Callable[[str], Path], kind: str
) -> None:
    asked = BenchRequest(model_id=str(checkpoint(kind)), video="twelve", base="plain")
    (step,) = make_plan(ready, suite_of(ready, asked)).vlms
    assert step.model is not None
    described = forecast(
        step.model, checkpoint(kind), (112, 84), prompt=step.model.prompt.instruction
    )
    changes = by_id(str(checkpoint(kind)))
    session = VlmSession.open("auto", "twelve", "plain", changes=changes)
    result = run_all(session)
    assert (result.offline.scenes, result.offline.failed, result.offline.batch_size) == (12, 0, 4)
    (visual,) = {caption.visual_tokens for caption in session.captioning.captions}
    assert visual == described.visual_tokens > 0
