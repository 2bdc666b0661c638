import hashlib
from dataclasses import replace
from pathlib import Path

import av
import pytest
from scenedetect import ContentDetector, detect

from kairos_lib.nano.script import Play, Script, Shot, random_script
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.nano.world import Field, Scene, Shape
from workshop.nano.clip import UnclearCutError, make_clip
from workshop.nano.demos import ScriptError, demo_names, demo_script, read_script

SHAPE = Shape("ring", "white", "small", "up")


def silent(script: Script) -> Script:
    return replace(script, shots=tuple(replace(shot, track=()) for shot in script.shots))


def short(field: Field) -> Shot:
    return Shot(Scene((SHAPE,), field), 2.0, (Play("tone", 1.0),))


def digest(folder: Path) -> str:
    files = sorted(folder.iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_a_clip_is_the_same_from_the_same_seed(tmp_path: Path):
    script = Script("short", "match", (short(Field("green")), short(Field("purple"))), seed=4)
    make_clip(script, tmp_path / "one")
    make_clip(script, tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_every_cut_of_an_unseen_clip_is_found_at_its_frame(tmp_path: Path):
    script = silent(random_script(77, shots=4))
    truth = make_clip(script, tmp_path)
    found = detect(str(tmp_path / f"{script.name}.mp4"), ContentDetector())
    assert [start.seconds for start, _ in found[1:]] == pytest.approx(
        [cut.time_s for cut in truth.cuts]
    )


@pytest.mark.parametrize("name", demo_names())
def test_every_cut_of_a_demo_clip_is_found_at_its_frame(name: str):
    found = detect(str(CLIPS / f"{name}.mp4"), ContentDetector())
    truth = ClipTruth.of_demo(name)
    assert [start.seconds for start, _ in found[1:]] == pytest.approx(
        [cut.time_s for cut in truth.cuts]
    )


@pytest.mark.parametrize("name", demo_names())
def test_a_demo_clip_is_what_its_script_says(name: str):
    truth, script = ClipTruth.of_demo(name), demo_script(name)
    assert [scene.scene for scene in truth.scenes] == [shot.scene for shot in script.shots]
    assert truth.scenes[0].start_s == 0.0
    assert truth.scenes[-1].end_s == truth.duration_s
    for before, after in zip(truth.scenes, truth.scenes[1:], strict=False):
        assert before.end_s == after.start_s
        assert before.end_s - before.start_s >= 2.0
    with av.open(str(CLIPS / f"{name}.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.frames == round(truth.duration_s * truth.fps)
        assert audio.duration * audio.time_base == pytest.approx(truth.duration_s, abs=0.05)
    assert (CLIPS / f"{name}.mp4").stat().st_size < 1_000_000


@pytest.mark.parametrize("name", demo_names())
def test_sounds_do_not_overlap_and_words_lie_within_their_speech(name: str):
    truth = ClipTruth.of_demo(name)
    for before, after in zip(truth.sounds, truth.sounds[1:], strict=False):
        assert before.end_s <= after.start_s
    for utterance in truth.utterances:
        assert [word.text for word in utterance.words] == utterance.text.split()
        for word in utterance.words:
            assert utterance.start_s <= word.start_s < word.end_s <= utterance.end_s


def test_scenes_too_alike_for_a_cut_are_refused(tmp_path: Path):
    script = Script("alike", "match", (short(Field("gray")), short(Field("gray", shade=0.1))))
    with pytest.raises(UnclearCutError, match="scenes 1 and 2 differ"):
        make_clip(script, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_script_that_cannot_be_read_names_its_line(tmp_path: Path):
    path = tmp_path / "bad.txt"
    path.write_text("style match\nseed 1\n4.0 | small pink circle left | plain green 0 | - | -\n")
    with pytest.raises(ScriptError, match=r"bad.txt, line 3.*pink"):
        read_script(path)
