"""Weights of analyzers that are no weights, are not whole, or hold no numbers: one line each."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkpoints import tiny_ast, tiny_yolo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos_lib.analyzers import objects
from kairos_lib.analyzers.sounds import Classifier, Window
from kairos_lib.analyzers.speech.engine import Setup, find
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from workshop.nano.whisper import WEIGHTS

PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_yolo(tmp_path_factory.mktemp("yolo") / "yolo.pt")


@pytest.fixture(scope="module")
def ast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ast(tmp_path_factory.mktemp("ast") / "ast")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript: torch runs what is in it."""
    import torch

    path = tmp_path_factory.mktemp("program") / "program.torchscript"
    torch.jit.script(torch.nn.ReLU()).save(str(path))
    return path


def one_line(made: Callable[[], Any]) -> str:
    with pytest.raises(KairosError) as caught:
        made()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(
        ["torchscript", "onnx", "engine", "yaml", "mlpackage", "tflite", "pb", "PT", "pt ", "bin"]
    )
    | st.text("abcdeoptx", max_size=6).filter(lambda suffix: suffix != "pt")
)
def test_no_suffix_but_pt_reaches_ultralytics(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"yolo.{suffix}"
    shutil.copy(program, path)
    with monkeypatch.context() as patch:
        # Not even set up.
        patch.setattr(objects, "set_up_ultralytics", lambda: pytest.fail("it was reached"))
        assert "YOLO weights must be .pt checkpoints" in one_line(lambda: objects.load(str(path)))


def test_a_torchscript_that_is_called_pt_is_refused_by_what_is_in_it(
    program: Path, tmp_path: Path
) -> None:
    shutil.copy(program, tmp_path / "yolo.pt")
    assert "it is a TorchScript" in one_line(lambda: objects.load(str(tmp_path / "yolo.pt")))


def test_a_yolo_with_nan_is_refused_and_one_that_overflows_is_noticed(
    yolo: Path, tmp_path: Path
) -> None:
    import torch

    assert objects.load(str(yolo)).predict(PICTURE, imgsz=64, verbose=False)
    whole = torch.load(yolo, weights_only=False)
    for value, line in ((float("nan"), "cannot load"), (6e4, "scores of objects are NaN")):
        for weight in whole["model"].parameters():
            if weight.ndim == 4 and weight.shape[1] > 1:
                torch.nn.init.constant_(weight, value)
        path = tmp_path / "damaged.pt"
        torch.save(whole, path)
        assert line in one_line(
            lambda path=path: objects.load(str(path)).predict(PICTURE, imgsz=64, verbose=False)
        )


def changed(folder: Path, copy: Path, change: Callable[[dict[str, Any]], None]) -> str:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return str(copy)


def without(tensors: dict[str, Any]) -> None:
    del tensors["classifier.dense.weight"]


def smaller(tensors: dict[str, Any]) -> None:
    tensors["classifier.dense.weight"] = tensors["classifier.dense.weight"][:2].clone()


def too_many(tensors: dict[str, Any]) -> None:
    tensors["classifier.scale"] = tensors["classifier.dense.bias"].clone()


def not_numbers(tensors: dict[str, Any]) -> None:
    tensors["classifier.dense.bias"][1] = float("nan")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (without, "do not go with the model (missing: classifier.dense.weight"),
        (smaller, "do not go with the model (mismatched: classifier.dense.weight"),
        (too_many, "do not go with the model (unexpected: classifier.scale"),
        (not_numbers, "the weights are damaged (classifier.dense.bias"),
    ],
)
def test_an_ast_that_is_not_whole_is_one_line(
    ast: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], line: str
) -> None:
    path = changed(ast, tmp_path / "ast", change)
    assert line in one_line(lambda: Classifier(path))


def test_an_ast_in_a_pickle_is_refused(ast: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "ast"
    shutil.copytree(ast, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "safetensors" in one_line(lambda: Classifier(str(folder)))


def test_scores_of_sounds_that_are_no_numbers_are_noticed(ast: Path, tmp_path: Path) -> None:
    def huge(tensors: dict[str, Any]) -> None:
        tensors["classifier.dense.weight"][:] = 3e38

    model = Classifier(changed(ast, tmp_path / "ast", huge))
    sound = Window(0, np.random.default_rng(0).standard_normal(16_000).astype(np.float32), 0.0)
    assert "scores of sounds are NaN" in one_line(lambda: model.scores([sound]))


def listen(weights: Path, wav: Path) -> None:
    engine = find("faster-whisper")(Setup(SpeechSettings(language="en"), weights, Path("none")))
    engine.model = engine.load(weights, "cpu")
    engine.prepare()
    list(engine.transcribe(wav, [Span(start_s=0.0, end_s=1.0)], lambda done, total: None))


def test_a_whisper_with_nan_is_noticed_and_another_models_tokens_are_never_fetched(
    tmp_path: Path,
) -> None:
    from helpers.recordings import write_wav

    wav = write_wav(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000))
    folder = tmp_path / "whisper"
    shutil.copytree(WEIGHTS, folder)
    listen(folder, wav)
    # CTranslate2: a name, rank, sizes, type and length in bytes, then the numbers.
    content = bytearray((folder / "model.bin").read_bytes())
    name = b"encoder/conv1/bias\0"
    at = content.index(name) + len(name)
    numbers = at + 1 + 4 * content[at] + 1 + 4
    content[numbers : numbers + 16] = np.full(4, np.nan, dtype="<f4").tobytes()
    (folder / "model.bin").write_bytes(content)
    assert "scores of speech are NaN" in one_line(lambda: listen(folder, wav))
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer.json" in one_line(lambda: listen(folder, wav))
