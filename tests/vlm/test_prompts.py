from kairos_lib.analyzers.speech.analyzer import TRANSCRIPT_LIMIT_CHARS
from workshop.nano.scene_prompts import SceneContext, scene_prompt


def test_a_prompt_tells_what_is_known_and_ends_with_the_question() -> None:
    context = SceneContext("hello\n there", ["music", "applause"], [("cup", 1), ("person", 3)])
    assert scene_prompt("What happens?", context) == (
        "Speech: hello there\nSounds: music, applause\nObjects: cup, 3 x person\nWhat happens?"
    )


def test_what_is_not_known_leaves_no_line() -> None:
    assert scene_prompt("What happens?", SceneContext(transcript="  ")) == "What happens?"


def test_a_long_transcript_is_cut_at_a_word() -> None:
    prompt = scene_prompt("?", SceneContext("word " * 500))
    line = prompt.splitlines()[0]
    assert line.endswith("word ...")
    assert len(line) <= len("Speech: ") + TRANSCRIPT_LIMIT_CHARS + len(" ...")
