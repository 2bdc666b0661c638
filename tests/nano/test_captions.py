import random
import subprocess
import sys

import pytest

from kairos_lib.nano.captions import Attributes, caption_of, parse, score
from kairos_lib.nano.world import Field, Scene, Shape, random_scene

SCENE = Scene(
    (Shape("circle", "red", "large", "left"), Shape("square", "orange", "small", "still")),
    Field("green", "striped"),
)


def test_a_caption_states_every_attribute_of_a_scene():
    assert caption_of(SCENE) == (
        "A large red circle moves left and a small orange square stays still "
        "on a striped green field."
    )


def test_a_caption_adds_what_the_context_tells():
    told = caption_of(
        SCENE, transcript="look an orange ring and a red star", sounds=["speech", "applause"]
    )
    assert told.endswith("field. Applause is heard. A voice speaks of an orange ring.")


@pytest.mark.parametrize("seed", range(30))
def test_every_caption_is_read_back_as_it_was_meant(seed: int):
    scene = random_scene(random.Random(seed))
    assert score(caption_of(scene, transcript="a red star", sounds=["tone"]), scene).share() == 1.0


def test_what_a_voice_speaks_of_is_not_taken_for_a_shape():
    said = parse("A small red star grows on a plain blue field. A voice speaks of a black ring.")
    assert [shape.colour for shape in said.shapes] == ["red"]


@pytest.mark.parametrize("text", ["", "\x00 %$ field", "I am sorry, I cannot see it.", "on a on a"])
def test_garbage_has_no_attributes(text: str):
    assert parse(text) == Attributes()
    assert score(text, SCENE).share() == 0.0


def test_a_wrong_motion_costs_one_motion():
    wrong = caption_of(SCENE).replace("moves left", "moves up")
    scores = score(wrong, SCENE)
    assert scores.right["motion"] == 1
    assert scores.total["motion"] == 2
    assert scores.share("kind") == scores.share("colour") == scores.share("count") == 1.0


def test_a_shape_too_many_costs_the_count():
    more = "A large red circle moves left, a small orange square stays still and a small blue "
    assert score(more + "star grows on a striped green field.", SCENE).share("count") == 0.0


def test_scores_add_up():
    both = score(caption_of(SCENE), SCENE) + score("", SCENE)
    assert both.share() == 0.5


def test_the_world_and_its_captions_need_no_heavy_library():
    code = (
        "import sys, kairos_lib.nano.captions, kairos_lib.nano.world, kairos_lib.nano.truth;"
        "sys.exit(bool({'torch', 'cv2', 'av', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
