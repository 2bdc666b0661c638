import random
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from kairos_lib.nano.narration import SENTENCES, sentence, vocabulary
from kairos_lib.nano.script import PLAYED_SOUNDS, Play, Say, Script, Shot
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.nano.world import STYLES, Field, Scene, Shape
from workshop.nano.clip import make_clip
from workshop.nano.hearing import IGNORED, Collator, Listener
from workshop.nano.score_whisper import Tally, transcribe
from workshop.nano.utterances import RATE_HZ, Utterances, held_out
from workshop.nano.whisper import (
    MAX_POSITIONS,
    WEIGHTS,
    WINDOW_S,
    Tokens,
    build_model,
    build_tokenizer,
    save,
)
from workshop.nano.windows import Heard, Window, draw
from workshop.nano.word_errors import WordErrors, word_errors

SCENE = Scene((Shape("ring", "white", "small", "up"),), Field("green"))
NOISE = np.random.default_rng(0).normal(0, 3000, 3 * RATE_HZ).astype(np.int16)

speaks = pytest.mark.skipif(
    find_library("espeak-ng") is None, reason="espeak-ng, which speaks the sentence, is missing"
)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("the red star", "the red star", WordErrors(0, 0, 0, 3)),
        ("the red star", "The red star.", WordErrors(0, 0, 0, 3)),
        ("the red star", "the blue star", WordErrors(1, 0, 0, 3)),
        ("the red star", "the big red star", WordErrors(0, 1, 0, 3)),
        ("the red star", "red star", WordErrors(0, 0, 1, 3)),
        ("the red star", "", WordErrors(0, 0, 3, 3)),
        ("", "the red star", WordErrors(0, 3, 0, 0)),
        ("it is on the left", "it on the right side", WordErrors(1, 1, 1, 5)),
    ],
)
def test_word_errors_are_the_fewest_that_explain_what_was_heard(said, heard, errors):
    assert word_errors(said, heard) == errors


def test_the_rate_of_word_errors_is_over_all_words():
    total = word_errors("the red star", "the star") + word_errors("what is that", "what is that")
    assert total.rate == pytest.approx(1 / 6)
    assert WordErrors().rate == 0
    assert word_errors("", "ghosts").rate == float("inf")


def test_the_shipped_whisper_transcribes_a_demo_clip(tmp_path: Path):
    truth = ClipTruth.of_demo("demo-match")
    tally = Tally()
    tally.add(truth, transcribe(CLIPS / "demo-match.mp4", tmp_path, WEIGHTS, 5))
    assert tally.errors["all"].rate <= 0.1
    assert tally.apart == len(truth.utterances)
    assert max(tally.starts_off_s) < 0.3


@speaks
def test_the_shipped_whisper_transcribes_a_sentence_that_training_never_had(tmp_path: Path):
    said = "today we speak of the green star"
    assert held_out(said)
    shot = Shot(SCENE, 4.0, (Play("whistle", 1.2), Say(said, words_per_minute=143)))
    make_clip(Script("fresh", "speech", (shot,)), tmp_path)
    (segment,) = transcribe(tmp_path / "fresh.mp4", tmp_path / "run", WEIGHTS, 5)
    assert word_errors(said, segment.text).count <= 1


def test_the_shipped_whisper_hears_no_words_where_nobody_speaks(tmp_path: Path):
    shot = Shot(SCENE, 3.0, tuple(Play(sound, 1.5) for sound in PLAYED_SOUNDS))
    make_clip(Script("wordless", "match", (shot,)), tmp_path)
    assert transcribe(tmp_path / "wordless.mp4", tmp_path / "run", WEIGHTS, 5) == []


def test_the_shipped_whisper_is_small():
    assert (WEIGHTS / "model.bin").stat().st_size < 4_000_000


def test_every_word_is_heard_in_training():
    rng = random.Random(0)
    drawn = {sentence(rng, rng.choice(STYLES)) for _ in range(5000)}
    kept = [text for text in drawn if not held_out(text)]
    assert {word for text in kept for word in text.split()} == vocabulary()
    assert 0.05 < 1 - len(kept) / len(drawn) < 0.15
    assert "thank you" in SENTENCES["speech"] and not held_out("thank you")


def test_a_known_word_is_one_token_and_any_text_can_be_written():
    tokenizer = build_tokenizer()
    words = Tokens.of(tokenizer).words
    assert tokenizer.encode(" the red star") == [words["the"], words["red"], words["star"]]
    for text in (" the red star", " -", " Zürich"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.fixture(scope="module")
def collator() -> Collator:
    spelled = {word: tuple(word) for word in vocabulary()}
    return Collator(Tokens.of(build_tokenizer()), spelled)


@pytest.fixture(scope="module")
def listener(collator: Collator) -> Listener:
    torch.manual_seed(0)
    return Listener(build_model(build_tokenizer()), collator.tokens, collator.classes).eval()


@pytest.fixture(scope="module")
def utterances() -> Utterances:
    texts = ("the crowd is happy", "now it is ready", "thank you")
    speech = tuple(NOISE[: length * RATE_HZ // 2] for length in (4, 3, 2))
    return Utterances(texts, speech, (NOISE,))


def window(*heard: Heard, length_s: float = 2.0) -> Window:
    return Window(NOISE[: int(length_s * RATE_HZ)].astype(np.float32) / 32768, heard)


def test_training_computes_what_the_saved_model_computes(collator: Collator, listener: Listener):
    windows = [window(Heard("thank you", 0.2, 1.4)), window(length_s=1.2)]
    batch = collator.batch(windows, random.Random(0))
    with torch.no_grad():
        states, bias, _ = listener.hear(batch.mels, stride=1)
        told = listener.tell(states, bias, batch.inputs)
        padded = functional.pad(batch.mels, (0, 2 * MAX_POSITIONS - batch.mels.shape[2]))
        right = listener.model(input_features=padded, decoder_input_ids=batch.inputs).logits
    torch.testing.assert_close(told, right, atol=1e-4, rtol=1e-4)


def test_training_hears_what_faster_whisper_hears(collator: Collator):
    from faster_whisper.feature_extractor import FeatureExtractor

    samples = window().samples
    mel = collator.mel(samples)
    right = FeatureExtractor()(samples)[:, : mel.shape[1]]
    np.testing.assert_allclose(mel.numpy(), right, atol=1e-3)


def test_a_segment_ends_twice_and_a_cut_sentence_only_begins(collator: Collator):
    tokens = collator.tokens
    whole, cut = Heard("thank you", 0.2, 1.4), Heard("now it is ready", 1.5, None)
    batch = collator.batch([window(whole), window(whole, cut), window()], random.Random(0))
    said = [tokens.at(0.2), tokens.words["thank"], tokens.words["you"], tokens.at(1.4)]
    rows = [[int(token) for token in row if token != IGNORED] for row in batch.targets]
    assert rows[0] == [*said, tokens.at(1.4), tokens.end]
    assert rows[1] == [*said, tokens.at(1.5), tokens.end]
    assert rows[2] == [tokens.no_speech, tokens.end]
    assert batch.phoneme_counts.tolist() == [len("thankyou"), 0, 0]


def test_windows_hold_whole_sentences_or_say_that_they_do_not(utterances: Utterances):
    rng = random.Random(1)
    windows = [draw(utterances, rng, short=False) for _ in range(60)]
    assert all(len(w.samples) <= WINDOW_S * RATE_HZ for w in windows)
    assert all(
        heard.end_s is None or heard.end_s <= len(w.samples) / RATE_HZ
        for w in windows
        for heard in w.heard
    )
    assert {len(w.heard) for w in windows} >= {0, 2, 3}
    assert all(len(draw(utterances, rng, short=True).heard) <= 1 for _ in range(20))


def test_lessons_lower_the_loss(collator: Collator, utterances: Utterances):
    torch.manual_seed(0)
    listener = Listener(build_model(build_tokenizer()), collator.tokens, collator.classes)
    learning = [p for p in listener.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-3)
    batch = collator.batch([draw(utterances, random.Random(2), True)] * 2, random.Random(0))
    losses = []
    for _ in range(8):
        loss, _ = listener.learn(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_what_training_saves_is_small_and_loads(listener: Listener, tmp_path: Path):
    from faster_whisper import WhisperModel

    save(listener.model, build_tokenizer(), tmp_path / "out", tmp_path / "scratch")
    loaded = WhisperModel(str(tmp_path / "out"), device="cpu", compute_type="int8")
    assert not loaded.model.is_multilingual
    assert loaded.feature_extractor.nb_max_frames == WINDOW_S * 100
    assert (tmp_path / "out" / "model.bin").stat().st_size < 4_000_000
