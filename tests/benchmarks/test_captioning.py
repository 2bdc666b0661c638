"""The benchmarks of captioning, at a size that takes no time."""

from pathlib import Path

import pytest

from benchmarks import captions, phi35
from benchmarks.captions import ENGINE, LOOP, Subject
from benchmarks.harness import DisagreementError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


def subject(weights: Path, device: str = "CPU") -> Subject:
    changes = {
        "weights": {"source": "path", "id": str(weights)},
        "frames": {"longest_px": 56},
    }
    return Subject("llava", device, "float32", "none", 4, 2, 0.01, changes=changes)


@pytest.mark.services
def test_both_ways_write_the_same_and_the_table_says_how_fast(
    cache: Path, llava_weights: Path
) -> None:
    subjects = [subject(llava_weights), subject(llava_weights, "GPU")]
    page = captions.run(cache, 1, "test", lambda line: None, subjects, new_tokens=6).text()
    assert "**reached**" in page
    assert "| not measured |" in page
    assert "4 scenes of 2 frames, 56×" in page
    assert "A trial: 1 rounds" in page


@pytest.mark.services
def test_captions_that_part_without_a_near_tie_have_no_time(
    cache: Path, llava_weights: Path
) -> None:
    trial = captions._Trial(cache, subject(llava_weights), 6)
    loop, engine = trial.loop(), trial.engine()
    trial.agree({LOOP: loop, ENGINE: engine})
    assert trial.differing == [0.0]
    wrong = f"{engine[1][:2]}@{engine[1][3:]}"
    with pytest.raises(DisagreementError, match="scene 1 is captioned otherwise"):
        trial.agree({LOOP: loop, ENGINE: (engine[0], wrong, *engine[2:])})


def test_phi35_writes_the_same_tokens_with_its_cache_and_without(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    monkeypatch.setattr(phi35, "SMALL", {**phi35.SMALL, "hidden_size": 64, **heads})
    monkeypatch.setattr(phi35, "ROTATED", 16)
    monkeypatch.setattr(phi35, "TIMED_CALLS", 1)
    tower = {**phi35.SMALL_TOWER, "intermediate_size": 64}
    monkeypatch.setattr(phi35, "SMALL_TOWER", tower)
    page = phi35.run(cache, 1, "test", lambda line: None, tokens=3).text()
    assert "real size, GPU" in page
    assert "seconds per token by content differ by" in page
