"""Where a model runs: as its parameters name it, or one line where that is not here."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.measure import devices
from kairos_lib.project import Project
from kairos_lib.vlm import gpu_memory
from kairos_lib.vlm.loading import device_map, takes_gpu

TWO = ({"name": "First GPU", "memory_mib": 1}, {"name": "Second GPU", "memory_mib": 2})


@pytest.mark.parametrize(
    ("device", "name", "placed"),
    [("auto", "First GPU", "auto"), ("cuda", "First GPU", {"": 0}),
     ("cuda:0", "First GPU", {"": 0}), ("cuda:1", "Second GPU", {"": 1})],
)  # fmt: skip
def test_a_gpu_is_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, device: str, name: str, placed: object
) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: TWO)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert devices.device_name(device) == name
    assert takes_gpu(device)
    assert device_map(device) == placed


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_taken_where_it_is_named_or_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: TWO if device == "cpu" else ())
    assert "threads" in devices.device_name(device)
    assert not takes_gpu("cpu")
    assert device_map("cpu") == {"": "cpu"}


@pytest.mark.parametrize(("have", "said"), [(0, "no GPU"), (1, "one GPU, cuda:0"), (2, "2 GPUs")])
def test_a_gpu_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, have: int, said: str
) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: TWO[:have])
    with pytest.raises(KairosError, match=f"^device: cuda:{have} is not here: {said} can be"):
        devices.device_name(f"cuda:{have}")
    monkeypatch.setattr("torch.cuda.is_available", lambda: have > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: have)
    with pytest.raises(KairosError, match=f"^device: cuda:{have} is not here: torch"):
        takes_gpu(f"cuda:{have}")


def test_each_gpu_that_a_model_lies_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch waits for the first one where it is not told which."""
    waited: list[object] = []
    monkeypatch.setattr("torch.cuda.synchronize", waited.append)
    gpu_memory.wait(["cuda:1", "cuda:3"])
    assert waited == ["cuda:1", "cuda:3"]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda:7", "model tiny: device: cuda:7 is not here"),
        ("gpu", "'device': must be auto, cpu, cuda or cuda:N, not 'gpu'"),
        ("cuda:-1", "not 'cuda:-1'"),
    ],
)
def test_a_plan_says_in_one_line_that_a_device_is_not_here(
    unloaded: Project, device: str, said: str
) -> None:
    path = unloaded.parameters / "models" / "tiny.yaml"
    path.write_text(path.read_text().replace("device: cpu", f"device: '{device}'"))
    answer = CliRunner().invoke(main, ["plan", "--suite", "one"])
    assert answer.exit_code
    (line,) = answer.stderr.splitlines()
    assert said in line
