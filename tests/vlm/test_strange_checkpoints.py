"""Checkpoints of strangers: they are data, and nothing in them is run, fetched or obeyed."""

import ast
import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.projects import tiny_model
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.adapter import find_family
from kairos_lib.weights.checkpoint_files import INDEX, shards

CHECKOUT = Path(__file__).parents[2]
SOURCES = sorted([*CHECKOUT.glob("kairos_lib/**/*.py"), *CHECKOUT.glob("benchmarks/**/*.py")])
LOADER = "from_pretrained"


def loaded(weights: Path, family: str = "auto", **changes: object) -> Any:
    values = tiny_model(weights, family=family, **changes)
    adapter = find_family(family)(Model.model_validate({**values, "name": "m"}), weights)
    adapter.load()
    return adapter


def refused(weights: Path, family: str = "auto", **changes: object) -> str:
    """The one line with which a checkpoint is not loaded."""
    with pytest.raises(KairosError) as caught:
        loaded(weights, family, **changes)
    line = str(caught.value)
    assert "\n" not in line
    return line


def changed(folder: Path, name: str, **values: object) -> None:
    """Some values of a JSON file of a checkpoint."""
    path = folder / name
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **values}))


@pytest.fixture
def copy(llava_weights: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llava_weights, tmp_path / "model"))


def test_every_call_that_loads_says_that_no_code_is_trusted() -> None:
    seen = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            told = [k.value for k in node.keywords if k.arg == "trust_remote_code"]
            trusted = [v for v in told if not (isinstance(v, ast.Constant) and v.value is False)]
            assert not trusted, f"{path}:{node.lineno}"
            if node.func.attr == LOADER:
                seen += 1
                assert told, f"{path}:{node.lineno} leaves it to transformers to ask"
    assert seen >= 10


CODE_FILE = "code_of_theirs.py"


@pytest.fixture
def watched(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint with code that leaves a file behind where it is run, as asking does."""

    def asked(*_: object) -> str:
        (tmp_path / "was_asked").touch()
        return "n"

    monkeypatch.setattr(builtins, "input", asked)
    (copy / CODE_FILE).write_text(f"open({str(tmp_path / 'was_run')!r}, 'w').close()\n")
    return copy


def left_behind(watched: Path) -> list[str]:
    return sorted(path.name for path in watched.parent.glob("was_*"))


NAMES = (
    "AutoConfig",
    "AutoModelForImageTextToText",
    "AutoProcessor",
    "AutoTokenizer",
    "AutoImageProcessor",
)
AUTO_MAP = {name: f"code_of_theirs.{name}" for name in NAMES}


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "processor_config.json"])
@pytest.mark.parametrize("family", ["auto", "llava_next"])
def test_code_beside_a_model_that_is_known_is_neither_run_nor_asked_about(
    watched: Path, file: str, family: str
) -> None:
    changed(watched, file, auto_map=AUTO_MAP)
    assert type(loaded(watched, family).model).__name__ == "LlavaNextForConditionalGeneration"
    assert left_behind(watched) == []


@pytest.mark.parametrize("where", ["code_of_theirs", "somebody/else--code_of_theirs"])
def test_a_model_that_needs_its_own_code_is_one_line(watched: Path, where: str) -> None:
    auto_map = {name: f"{where}.{name}" for name in NAMES}
    changed(watched, "config.json", auto_map=auto_map, model_type="theirs")
    assert "it needs code of its own, which Kairos never runs" in refused(watched)
    assert left_behind(watched) == []


def test_a_processor_that_needs_its_own_code_is_one_line(watched: Path) -> None:
    changed(watched, "config.json", model_type="llama", architectures=["LlamaForCausalLM"])
    changed(watched, "processor_config.json", auto_map=AUTO_MAP, processor_class="TheirsProcessor")
    assert "it needs code of its own, which Kairos never runs" in refused(watched)
    assert left_behind(watched) == []


def split(folder: Path, name: str) -> None:
    """Have an index name the file of the weights."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        names = list(file.keys())
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, name)}
    (folder / INDEX).write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")


def test_weights_in_several_files_are_loaded(copy: Path) -> None:
    split(copy, "model-00001-of-00001.safetensors")
    assert loaded(copy).model is not None


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "../elsewhere.safetensors", "/tmp/elsewhere.safetensors"]
)
def test_an_index_names_safetensors_of_its_own_folder_alone(copy: Path, name: str) -> None:
    elsewhere = copy / name
    split(copy, name)
    if elsewhere.parent != Path("/tmp"):
        shutil.copy(copy / "model-00001-of-00001.safetensors", elsewhere)
    assert f"{INDEX} names {name!r}" in refused(copy)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(max_size=12), st.sampled_from(["", ".bin", ".safetensors", ".pt", ".safetensors/"]))
def test_whatever_an_index_names_lies_in_its_folder(tmp_path: Path, stem: str, end: str) -> None:
    name = stem + end
    index = {"metadata": {}, "weight_map": {"w": name}}
    (tmp_path / INDEX).write_text(json.dumps(index), encoding="utf-8")
    try:
        (found,) = shards(tmp_path)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        path = tmp_path / found
        assert path.parent == tmp_path
        assert path.name.endswith(".safetensors")


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": []}', "{", "[" * 100_000])
def test_an_index_that_is_none_is_one_line(copy: Path, text: str) -> None:
    (copy / INDEX).write_text(text)
    (copy / "model.safetensors").unlink()
    assert INDEX in refused(copy)


TOKENIZER_OF_SOUND = {
    "audio_tokenizer_class": "DacModel",
    "audio_tokenizer_name_or_path": "some/body",
}
ASKS = {
    "configuration_files": ("config.json", ["config.4.0.0.json"]),
    "transformers_weights": ("config.json", "x.safetensors"),
    "fusion_config": ("config.json", {"patch_embeddings": True}),
    "audio_tokenizer": ("processor_config.json", TOKENIZER_OF_SOUND),
    "base_model_name_or_path": ("adapter_config.json", "some/body"),
}


@pytest.mark.parametrize("key", ASKS)
def test_a_checkpoint_that_sends_for_something_else_is_one_line(copy: Path, key: str) -> None:
    file, value = ASKS[key]
    changed(copy, file, **{key: value})
    assert file in refused(copy)


def attentions(model: Any) -> set[str]:
    """Of all networks within one."""
    configs = (getattr(module, "config", None) for module in model.modules())
    return {config._attn_implementation for config in configs if config is not None}


OTHERS = st.sampled_from(
    ["sdpa", "flash_attention_2", "flex_attention", "somebody/kernel", "eager"]
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    theirs=OTHERS,
    where=st.sampled_from(["", "text_config", "vision_config"]),
    private=st.booleans(),
)
@example(theirs="sdpa", where="", private=True)
def test_attention_is_what_the_models_file_says(
    copy: Path, theirs: str, where: str, private: bool
) -> None:
    key = "_attn_implementation" if private else "attn_implementation"
    whole = (copy / "config.json").read_text()
    try:
        if where:
            inner = json.loads(whole)[where]
            changed(copy, "config.json", **{where: {**inner, key: theirs}})
        else:
            changed(copy, "config.json", **{key: theirs})
        for family in ("auto", "llava_next"):
            adapter = loaded(copy, family, attention="eager")
            assert attentions(adapter.model) == {"eager"}
            assert adapter.architecture().attention == "eager"
    finally:
        (copy / "config.json").write_text(whole)


def test_what_a_checkpoint_says_of_attention_is_nothing_to_a_forecast(copy: Path) -> None:
    from kairos_lib.vlm.forecast import forecast

    before = forecast(Model(name="m", **tiny_model(copy)), copy, (84, 56), "Describe.")
    changed(copy, "config.json", _attn_implementation="somebody/kernel")
    model = Model(name="m", **tiny_model(copy, family="auto"))
    assert forecast(model, copy, (84, 56), "Describe.") == before
