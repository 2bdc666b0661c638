import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.nano.script import PLAYED_SOUNDS, SOUNDS, Play, Rest, Script, Shot
from kairos_lib.nano.world import Field, Scene, Shape
from kairos_lib.parameters.loading import load
from kairos_lib.project import Project
from workshop.nano.clip import make_clip
from workshop.nano.sound import play
from workshop.nano.soundscapes import Heard, SoundBank
from workshop.nano.train_ast import (
    WEIGHTS,
    Windows,
    build_extractor,
    build_model,
    lessons,
    optimizer_for,
    save,
)
from workshop.nano.training import Training
from workshop.nano.unseen import Processed, process

needs_voice = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    """A clip without voices: each sound in a scene of its own, two together, and silence."""
    tracks = [
        *((Play(sound, 2.0),) for sound in PLAYED_SOUNDS),
        (Play("applause", 1.5), Rest(0.5), Play("whistle", 1.5)),
        (),
    ]
    shots = tuple(
        Shot(
            Scene(
                (Shape("circle", "black", "large", "still"),),
                Field("green", shade=0.9) if index % 2 else Field("purple", shade=-0.7),
            ),
            2.5,
            track,
        )
        for index, track in enumerate(tracks)
    )
    folder = tmp_path_factory.mktemp("sounds")
    truth = make_clip(Script("sounds", "match", shots, seed=78), folder)
    profile = load(Project(CHECKOUT), Base, "nano").model_copy(update={"stages": ("sounds",)})
    return process(folder / "sounds.mp4", truth, profile, folder / "results")


def said(heard: Processed, scene: int) -> list[str]:
    return [e.label for e in heard.found("sounds", SoundEvent) if e.scene == scene]


@pytest.mark.parametrize("index", range(len(PLAYED_SOUNDS)), ids=PLAYED_SOUNDS)
def test_the_nano_classifier_hears_what_is_played(heard: Processed, index: int):
    assert said(heard, index)[0] == PLAYED_SOUNDS[index]


def test_the_nano_classifier_hears_two_sounds_of_one_scene(heard: Processed):
    assert set(said(heard, len(PLAYED_SOUNDS))) == {"applause", "whistle"}


def test_the_nano_classifier_calls_silence_what_it_is(heard: Processed):
    assert said(heard, len(PLAYED_SOUNDS) + 1) == ["silence"]


def test_a_long_window_is_heard_to_its_end():
    import transformers

    extractor = transformers.AutoFeatureExtractor.from_pretrained(WEIGHTS)
    model = transformers.ASTForAudioClassification.from_pretrained(WEIGHTS, dtype=torch.float32)
    siren = play("siren", 2.0, np.random.default_rng(5))[::2]
    window = np.concatenate([np.zeros(8 * 16_000, dtype=np.float32), siren])
    features = extractor(window, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        scores = model.eval()(**features).logits.sigmoid()[0]
    assert scores[SOUNDS.index("siren")] >= 0.5


def test_the_nano_classifier_is_small_and_in_half_precision():
    from safetensors import safe_open

    assert (WEIGHTS / "model.safetensors").stat().st_size < 5_000_000
    with safe_open(WEIGHTS / "model.safetensors", framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118


@needs_voice
def test_training_windows_name_what_is_in_them():
    rng = random.Random(2)
    bank = SoundBank(rng, each=2)
    windows = [bank.draw(rng) for _ in range(80)]
    for window in windows:
        assert 0.5 <= len(window.wave) / 16_000 <= 10.24
        others = np.delete(window.labels, SOUNDS.index("silence"))
        assert window.labels[SOUNDS.index("silence")] == 1 - others.max()
        if not others.any():
            assert np.sqrt(np.mean(window.wave**2)) < 0.1
    assert (np.stack([w.labels for w in windows]) == 1).any(axis=0).all()


def windows() -> Windows:
    numbers = np.random.default_rng(0)
    waves = [play(sound, 1.0, numbers)[::2] for sound in ("tone", "noise")]
    labels = np.eye(len(SOUNDS), dtype=np.float32)[[SOUNDS.index("tone"), SOUNDS.index("noise")]]
    return Windows.of(
        [Heard(w, row) for w, row in zip(waves, labels, strict=True)], build_extractor()
    )


def test_training_hears_what_the_extractor_makes():
    wave = play("music", 1.0, np.random.default_rng(1))[::2]
    made = Windows.of([Heard(wave, np.zeros(len(SOUNDS), dtype=np.float32))], build_extractor())
    whole = build_extractor()(wave, sampling_rate=16_000, return_tensors="pt").input_values
    torch.testing.assert_close(made.batch([0])[0], whole, atol=1e-3, rtol=1e-3)


def test_a_training_of_the_classifier_learns_saves_and_goes_on(tmp_path: Path):
    torch.manual_seed(0)

    def training(budget_s: float) -> Training:
        model = build_model()
        made = Training(model, [optimizer_for(model)], tmp_path / "checkpoint.pt", budget_s)
        made.resume()
        return made

    first = training(0.1)
    first.run(lessons(first.module, windows(), random.Random(1), torch.device("cpu")))
    assert training(0.2).step == first.step >= 1
    save(first.module, build_extractor(), tmp_path)
    import transformers

    loaded = transformers.ASTForAudioClassification.from_pretrained(tmp_path, dtype="auto")
    assert loaded.dtype == torch.float16
    assert tuple(loaded.config.id2label.values()) == SOUNDS
