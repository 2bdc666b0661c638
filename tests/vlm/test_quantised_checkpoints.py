"""Checkpoints that are quantised already run as they are, or one line says why not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.checkpoints import tiny_llava
from helpers.projects import tiny_model
from helpers.vlm_checkpoints import phi35
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos_lib.bench.display import need_lines
from kairos_lib.bench.requirements import Requirement
from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.forecast import forecast
from kairos_lib.weights.checkpoint_files import own_quantisation, stored_bytes

MIB = 2**20


def model_of(weights: Path, family: str, **changes: object) -> Model:
    return Model.model_validate({**tiny_model(weights, family=family, **changes), "name": "m"})


def loaded(weights: Path, family: str = "llava_next", **changes: object) -> Any:
    adapter = find_family(family)(model_of(weights, family, **changes), weights)
    adapter.load()
    return adapter


def refused(weights: Path, family: str = "llava_next", **changes: object) -> str:
    with pytest.raises(KairosError) as caught:
        loaded(weights, family, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def quantised(whole: Path, folder: Path, precision: str, family: str) -> Path:
    """The checkpoint as a maker saves it who loaded it in 4 or 8 bits."""
    adapter = loaded(whole, family, quantisation=precision)
    shutil.copytree(whole, folder)
    (folder / "model.safetensors").unlink()
    adapter.model.save_pretrained(folder)
    if family == "phi35":
        # Under the original's form of a config, which our own model's is not.
        own = json.loads((folder / "config.json").read_text())["quantization_config"]
        config = json.loads((whole / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "quantization_config": own}))
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """By family and precision."""
    folder = tmp_path_factory.mktemp("quantised")
    made = {("llava_next", "none"): tiny_llava(folder / "llava")}
    made["phi35", "none"] = phi35(folder / "phi35")
    for family, precision in (("llava_next", "nf4"), ("llava_next", "int8"), ("phi35", "nf4")):
        whole = made[family, "none"]
        made[family, precision] = quantised(
            whole, folder / f"{family}-{precision}", precision, family
        )
    return made


@pytest.mark.parametrize(
    ("family", "precision"), [("llava_next", "nf4"), ("llava_next", "int8"), ("phi35", "nf4")]
)
@pytest.mark.parametrize("asked", ["none", "the same"])
def test_it_runs_in_the_precision_that_it_has(
    checkpoints: dict[tuple[str, str], Path], family: str, precision: str, asked: str
) -> None:
    weights = checkpoints[family, precision]
    quantisation = "none" if asked == "none" else precision
    adapter = loaded(weights, family, quantisation=quantisation)
    assert adapter.architecture().quantisation == precision
    whole = loaded(checkpoints[family, "none"], family)
    assert adapter.parameters_millions() == pytest.approx(whole.parameters_millions())
    # What is computed has the type of the model's file, whatever the checkpoint was saved with.
    kinds = {type(module).__name__: module for module in adapter.model.modules()}
    if precision == "nf4":
        assert str(kinds["Linear4bit"].compute_dtype) == "torch.float32"
    else:
        assert "Linear8bitLt" in kinds


def test_it_writes_what_it_wrote_when_it_was_quantised_here(
    checkpoints: dict[tuple[str, str], Path],
) -> None:
    import numpy as np

    from kairos_lib.vlm.adapter import Request

    image = np.random.default_rng(0).integers(0, 255, (56, 84, 3), dtype=np.uint8)
    texts = []
    for weights, asked in (("none", "nf4"), ("nf4", "none")):
        adapter = loaded(checkpoints["llava_next", weights], quantisation=asked)
        generated = adapter.generate(adapter.prepare([Request(0, (image,), (0.0,), "What?")]))
        texts += generated.texts
    assert texts[0] == texts[1] != ""


def test_another_precision_than_it_has_is_one_line(
    checkpoints: dict[tuple[str, str], Path],
) -> None:
    line = refused(checkpoints["llava_next", "int8"], quantisation="nf4")
    assert "its weights are int8 already and cannot be made nf4: leave quantisation out" in line
    line = refused(checkpoints["llava_next", "nf4"], family="auto", quantisation="int8")
    assert "its weights are nf4 already and cannot be made int8" in line


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_a_plan_says_what_it_takes_as_it_is(
    checkpoints: dict[tuple[str, str], Path], precision: str
) -> None:
    weights = checkpoints["llava_next", precision]
    model = model_of(weights, "llava_next")
    found = forecast(model, weights, (84, 56), "Describe.")
    whole = forecast(model, checkpoints["llava_next", "none"], (84, 56), "Describe.")
    assert found.parameters_millions == whole.parameters_millions
    assert found.stored_as == found.precision(model) == precision
    size_mib = found.weights_mib("float32", "none")
    file = weights / "model.safetensors"
    assert size_mib == pytest.approx(file.stat().st_size / MIB, rel=0.2)
    assert size_mib < whole.weights_mib("float32", "none")
    (line, *_) = need_lines([Requirement(model, found, "", False, 1e6, "here")])
    assert f"{precision}, as the checkpoint has them (this run)" in line
    assert "unquantised" not in line


def with_config(whole: Path, folder: Path, **own: object) -> Path:
    shutil.copytree(whole, folder)
    config = json.loads((whole / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": own}))
    return folder


BITS: dict[str, dict[str, object]] = {
    "gptq": {"bits": 4, "group_size": 128},
    "awq": {"bits": 4, "group_size": 128},
    "compressed-tensors": {"config_groups": {}, "format": "pack-quantized"},
    "fp8": {"weight_block_size": [128, 128], "activation_scheme": "dynamic"},
    "of-tomorrow": {},
}


@pytest.mark.parametrize("family", ["auto", "phi35"])
@pytest.mark.parametrize("method", BITS)
def test_what_cannot_be_loaded_here_is_one_line(
    checkpoints: dict[tuple[str, str], Path], tmp_path: Path, method: str, family: str
) -> None:
    import torch

    whole = checkpoints["phi35" if family == "phi35" else "llava_next", "none"]
    folder = with_config(whole, tmp_path / "m", quant_method=method, **BITS[method])
    assert own_quantisation(folder) == method
    if torch.cuda.is_available() and method == "fp8":
        pytest.skip("a GPU may load it")
    line = refused(folder, family)
    named = {"gptq": "optimum", "awq": "gptqmodel", "fp8": "GPU", "of-tomorrow": "of-tomorrow"}
    assert named.get(method, "compressed-tensors") in line


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_a_config_within_the_config_is_read_as_well(tmp_path: Path, key: str) -> None:
    inner = {"text_config": {key: {"quant_method": "compressed-tensors"}}}
    (tmp_path / "config.json").write_text(json.dumps(inner))
    assert own_quantisation(tmp_path) == "compressed-tensors"


def as_raw(whole: Path, folder: Path, kind: Any) -> Path:
    """Weights as numbers of another type, of which the config says nothing."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(whole, folder)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("q_proj.weight"))
    tensors[name] = (tensors[name] * 100).clamp(-100, 100).to(kind)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "float8_e4m3fn", "float8_e5m2"])
def test_raw_numbers_are_not_taken_for_weights(
    checkpoints: dict[tuple[str, str], Path], tmp_path: Path, kind: str
) -> None:
    import torch

    folder = as_raw(checkpoints["llava_next", "none"], tmp_path / "m", getattr(torch, kind))
    assert "does not say how to read" in refused(folder)


def test_a_config_that_lost_its_quantisation_is_one_line(
    checkpoints: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(checkpoints["llava_next", "int8"], folder)
    config = json.loads((folder / "config.json").read_text())
    del config["quantization_config"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "does not say how to read" in refused(folder)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=40), length=st.one_of(st.none(), st.integers(0, 2**64 - 1)))
def test_whatever_lies_there_as_weights_is_read_or_is_one_line(
    tmp_path: Path, content: bytes, length: int | None
) -> None:
    size = len(content) if length is None else length
    (tmp_path / "model.safetensors").write_bytes(size.to_bytes(8, "little") + content)
    try:
        assert own_quantisation(tmp_path) == "none"
        assert stored_bytes(tmp_path) == 0
    except ValueError as error:
        assert "is not a safetensors file" in str(error)
