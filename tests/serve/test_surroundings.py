"""What a group's processes find in their environment."""

from __future__ import annotations

import os

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.serve import queues, surroundings


def settled(monkeypatch: pytest.MonkeyPatch, gpus: int = 0, **values: object) -> dict[str, str]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(surroundings, "gpus", lambda: ({},) * gpus)
    offline = values.pop("offline", True)
    groups = {"a": {"analyzers": ["scenes"], **values}}
    service = validate(
        Service, {"name": "own", "title": "Own", "groups": groups, "offline": offline}, "own"
    )
    surroundings.settle(service, "a")
    return dict(os.environ)


def test_offline_keeps_libraries_from_asking_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    found = settled(monkeypatch)
    assert (found["HF_HUB_OFFLINE"], found["TRANSFORMERS_OFFLINE"]) == ("1", "1")


def test_what_may_ask_others_is_not_told_to_be_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert "HF_HUB_OFFLINE" not in settled(monkeypatch, offline=False)


def test_threads_are_as_given_or_a_notebook_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert settled(monkeypatch)["OMP_NUM_THREADS"] == "3"
    given = settled(monkeypatch, threads=2)
    assert (given["OMP_NUM_THREADS"], given["MKL_NUM_THREADS"]) == ("2", "2")


def test_a_group_sees_its_own_gpu_alone_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert settled(monkeypatch, gpus=2)["CUDA_VISIBLE_DEVICES"] == ""
    one = settled(monkeypatch, gpus=2, device="cuda:1", allocator="expandable_segments:True")
    assert one["CUDA_VISIBLE_DEVICES"] == "1"
    assert one["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert settled(monkeypatch, gpus=2, device="cuda:1")["CUDA_VISIBLE_DEVICES"] == "6"
    with pytest.raises(KairosError, match="group a: device: cuda:2 is not here"):
        settled(monkeypatch, gpus=2, device="cuda:2")


def test_a_loading_model_draws_no_bar_into_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    assert settled(monkeypatch)["HF_HUB_DISABLE_PROGRESS_BARS"] == "1"


def test_a_child_that_was_done_is_forgotten_after_an_hour_and_a_failed_one_after_a_week() -> None:
    options = queues.job_options(attempts=3)
    assert options["removeOnComplete"] == {"age": 3600}
    assert options["removeOnFail"] == {"age": 7 * 24 * 3600}
