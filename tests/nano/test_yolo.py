import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from kairos_lib.analyzers.objects import Detection, load
from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.errors import KairosError
from kairos_lib.nano.script import Script, Shot
from kairos_lib.nano.world import KINDS, Field, Scene, Shape
from kairos_lib.parameters.loading import load as load_settings
from kairos_lib.project import Project
from workshop.nano.clip import make_clip
from workshop.nano.precision import Guess, Shown, hits
from workshop.nano.score_yolo import shown_at
from workshop.nano.sights import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, sight
from workshop.nano.train_yolo import WEIGHTS, build_model, lessons, optimizer_for, save
from workshop.nano.training import Training
from workshop.nano.unseen import Processed, process

CHECKOUT = Path(__file__).parents[2]

SHOTS = (
    Shot(
        Scene(
            (
                Shape("ring", "red", "small", "down"),
                Shape("square", "yellow", "large", "still"),
                Shape("star", "blue", "small", "up"),
            ),
            Field("green", "striped"),
            text="HALF TIME",
        ),
        2.0,
        fades_out=True,
    ),
    Shot(
        Scene(
            (Shape("triangle", "white", "small", "grows"), Shape("circle", "black", "large", "up")),
            Field("purple", "dotted", shade=0.8),
        ),
        2.4,
    ),
)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    folder = tmp_path_factory.mktemp("shapes")
    truth = make_clip(Script("shapes", "match", SHOTS, seed=77), folder)
    profile = load_settings(Project(CHECKOUT), Base, "nano")
    profile = profile.model_copy(
        update={
            "stages": ("objects",),
            "objects": profile.objects.model_copy(update={"frames_per_second": 5.0}),
        }
    )
    return process(folder / "shapes.mp4", truth, profile, folder / "results")


def test_the_detector_leaves_the_threads_of_its_process_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        load(str(WEIGHTS)).predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_nano_detector_finds_every_kind_of_shape_in_a_new_clip(looked: Processed):
    moments = [index / 5 for index in range(round(looked.truth.duration_s * 5))]
    shown = [
        Shown(picture, kind, box)
        for picture, time_s in enumerate(moments)
        for kind, box in shown_at(looked.truth, time_s)
    ]
    guesses = [
        Guess(round(d.time_s * 5), d.label, d.box, d.score)
        for d in looked.found("objects", Detection)
    ]
    right = sum(hits(shown, guesses))
    assert {s.label for s in shown} == set(KINDS)
    assert right / len(shown) >= 0.9
    assert right / len(guesses) >= 0.9


def test_detections_say_in_which_scene_they_are(looked: Processed):
    in_scene = {
        index: Counter(d.label for d in looked.found("objects", Detection) if d.scene == index)
        for index in range(len(SHOTS))
    }
    for index, shot in enumerate(SHOTS):
        common = {label for label, _ in in_scene[index].most_common(len(shot.scene.shapes))}
        assert common == {shape.kind for shape in shot.scene.shapes}


def test_a_stage_that_was_not_run_has_no_score(looked: Processed):
    with pytest.raises(KairosError, match="stage sounds found nothing to score"):
        looked.found("sounds", SoundEvent)


def test_the_truth_of_a_moment_between_boxes_lies_between_them(looked: Processed):
    boxes = [box for box in looked.truth.scenes[0].boxes if box.shape == 0]
    at = {time_s: next(shown_at(looked.truth, time_s))[1] for time_s in (0.0, 0.1, 0.2)}
    assert at[0.0][1] == pytest.approx(boxes[0].top_px / looked.truth.height_px)
    assert at[0.1][1] == pytest.approx((at[0.0][1] + at[0.2][1]) / 2)


def test_the_nano_detector_loads_without_running_code_and_names_no_machine():
    model = load(str(WEIGHTS))
    assert tuple(model.names.values()) == KINDS
    assert WEIGHTS.stat().st_size < 3_000_000
    kept = torch.load(WEIGHTS, map_location="cpu", weights_only=True)
    assert "AGPL-3.0" in kept["license"]
    assert next(kept["model"].parameters()).dtype == torch.float16
    assert not {"optimizer", "ema"} & set(kept)
    packed = WEIGHTS.read_bytes()
    assert not any(word in packed for word in (b"/home/", b"/work/", b"/root/", b"/tmp/"))


def test_boxes_of_training_frames_lie_around_their_shapes():
    size = np.array([IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX])
    differ = []
    for drawn in map(sight, map(random.Random, range(40))):
        assert drawn.image.shape == (IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, 3)
        for kind, box in zip(drawn.kinds, drawn.boxes, strict=True):
            middle, half = box[:2] * size, box[2:] * size / 2
            assert (middle - half >= 0).all()
            assert (middle + half <= size).all()
            if KINDS[kind] in ("circle", "star"):
                # These fill the middle of their box and none of its corners.
                colours = [drawn.image[int(y), int(x)] for x, y in (middle, middle - half + 1)]
                differ.append(np.abs(np.subtract(*map(np.int64, colours))).sum() > 20)
    assert len(differ) > 20
    assert np.mean(differ) > 0.9


def test_a_training_of_the_detector_learns_saves_and_goes_on(tmp_path: Path):
    torch.manual_seed(0)

    def training(budget_s: float) -> Training:
        model = build_model()
        made = Training(model, [optimizer_for(model)], tmp_path / "checkpoint.pt", budget_s)
        made.resume()
        return made

    first = training(0.1)
    first.run(lessons(first.module, random.Random(1), torch.device("cpu")))
    assert training(0.2).step == first.step >= 1
    save(first.module, tmp_path / "saved.pt")
    loaded = load(str(tmp_path / "saved.pt"))
    result = loaded.predict(sight(random.Random(3)).image, imgsz=IMAGE_WIDTH_PX, verbose=False)
    assert tuple(result[0].names.values()) == KINDS
