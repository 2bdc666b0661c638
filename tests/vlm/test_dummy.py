"""Models at their true size without their weights."""

from pathlib import Path

import pytest
from helpers.architectures import small
from helpers.projects import CHECKOUT

from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.forecast import forecast
from kairos_lib.weights.location import find

from .test_families import requests

ARCHITECTURES = sorted(path.stem for path in (CHECKOUT / "parameters/architectures").glob("*.yaml"))
PROJECT = Project(CHECKOUT)


def dummy(name: str, **changes: object) -> Model:
    weights = {"source": "dummy", "id": name}
    return load(PROJECT, Model, name, {"weights": weights, "device": "cpu", **changes})


def test_every_model_of_a_hub_has_an_architecture() -> None:
    models = [load(PROJECT, Model, name) for name in names(PROJECT, Model)]
    on_a_hub = {model.name for model in models if model.weights.source == "hub"}
    assert on_a_hub - {"auto"} == set(ARCHITECTURES)


# Of the checkpoints' own descriptions, in thousands of millions.
@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("instructblip", 7.91),
        ("llava", 7.06),
        ("llava_video", 7.06),
        ("phi35", 4.15),
        ("qwen25_vl", 8.29),
        ("qwen2_vl", 8.29),
        ("smolvlm2", 0.256),
        ("smolvlm2-500m", 0.507),
    ],
)
def test_an_architecture_has_the_size_of_the_real_model(name: str, billions: float) -> None:
    model = dummy(name)
    weights = find(PROJECT, model.weights).path
    assert weights is not None
    found = forecast(model, weights, (1280, 720), model.prompt.instruction)
    assert found.parameters_millions / 1000 == pytest.approx(billions, rel=0.02)
    assert 0 < found.visual_tokens < found.prompt_tokens
    sizes_mib = [found.weights_mib("bfloat16", kind) for kind in ("nf4", "int8", "none")]
    assert sizes_mib == sorted(sizes_mib)


@pytest.mark.parametrize(
    ("name", "quantisation"), [*((name, "none") for name in ARCHITECTURES), ("llava", "nf4")]
)
def test_a_model_without_weights_writes_as_many_tokens_as_it_may(
    tmp_path: Path, name: str, quantisation: str
) -> None:
    model = dummy(
        name,
        dtype="float32",
        quantisation=quantisation,
        generation={"max_new_tokens": 5},
        frames={"sampling": "start_middle"},
        processor={"num_crops": 1} if name == "phi35" else {},
    )
    weights = small(CHECKOUT / f"parameters/architectures/{name}.yaml", tmp_path)
    adapter = find_family(model.family)(model, weights)
    adapter.load()
    generated = adapter.generate(adapter.prepare(requests(2)))
    assert generated.new_tokens == (5, 5)
    assert all(text for text in generated.texts)


def test_a_mistake_in_an_architecture_is_one_line(tmp_path: Path) -> None:
    model = dummy("llava")
    path = tmp_path / "llava.yaml"
    path.write_text("config: {}\ntokenizers: {}\ntokenisers: {}\n")
    with pytest.raises(KairosError, match="unknown key 'tokenisers': did you mean 'tokenizers'"):
        find_family(model.family)(model, path).load()


def test_dummy_weights_of_no_architecture_are_one_line() -> None:
    model = load(PROJECT, Model, "nano", {"weights": {"source": "dummy", "id": "nano"}})
    assert find(PROJECT, model.weights).missing == (
        "dummy weights need an architecture, and there is no parameters/architectures/nano.yaml"
    )
    with pytest.raises(KairosError, match="it is the name of an architecture"):
        load(PROJECT, Model, "nano", {"weights": {"source": "dummy", "id": "../nano"}})
