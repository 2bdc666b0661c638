import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlavaNextForConditionalGeneration, LlavaNextProcessor

from kairos_lib.nano.captions import score
from kairos_lib.nano.script import random_script
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.quality.synthetic_world import AttributeScores
from workshop.nano.batches import IGNORED, collate
from workshop.nano.captioner import Captioner, scene_frames
from workshop.nano.clip import make_clip
from workshop.nano.examples import example
from workshop.nano.lessons import Teacher
from workshop.nano.llava import build_model, build_processor
from workshop.nano.questions import DEFAULT_INSTRUCTION
from workshop.nano.scene_prompts import SceneContext, scene_prompt
from workshop.nano.train_llava import lessons, optimizers_for, save
from workshop.nano.training import Training


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return Captioner()


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unseen")
    script = random_script(901, shots=8)
    script = replace(script, shots=tuple(replace(shot, track=()) for shot in script.shots))
    truth = make_clip(script, folder)
    return truth, scene_frames(folder / f"{script.name}.mp4", truth)


def scored(captions: list[str], truth: ClipTruth) -> AttributeScores:
    parts = (score(c, s.scene) for c, s in zip(captions, truth.scenes, strict=True))
    return sum(parts, AttributeScores())


def test_the_nano_model_describes_an_unseen_clip(captioner: Captioner, unseen):
    truth, pairs = unseen
    captions = captioner.captions(pairs, [DEFAULT_INSTRUCTION] * len(pairs))
    scores = scored(captions, truth)
    assert scores.share() >= 0.9
    assert scores.share("motion") >= 0.8


@pytest.mark.parametrize("name", ["demo-match", "demo-recipe"])
def test_the_nano_model_describes_a_demo_clip(captioner: Captioner, name: str):
    truth = ClipTruth.of_demo(name)
    pairs = scene_frames(CLIPS / f"{name}.mp4", truth)
    captions = captioner.captions(pairs, [DEFAULT_INSTRUCTION] * len(pairs))
    assert scored(captions, truth).share() >= 0.93


def test_the_nano_model_says_what_only_the_context_tells(captioner: Captioner, unseen):
    _, pairs = unseen
    context = SceneContext("now the red star moves to the left", ["speech", "applause"])
    prompt = scene_prompt(DEFAULT_INSTRUCTION, context)
    with_context, without = captioner.captions(pairs[:2], [prompt, DEFAULT_INSTRUCTION])
    assert "field. Applause is heard. A voice speaks of a" in with_context
    assert without.endswith("field.")


def test_a_scene_is_captioned_alike_alone_and_in_a_batch(captioner: Captioner, unseen):
    _, pairs = unseen
    prompts = [DEFAULT_INSTRUCTION, "Sounds: music\nWhat happens here?"]
    assert captioner.captions(pairs[:2], prompts) == [
        captioner.captions([pair], [prompt])[0]
        for pair, prompt in zip(pairs[:2], prompts, strict=True)
    ]


def test_four_bits_are_enough(unseen):
    truth, pairs = unseen
    captions = Captioner(four_bit=True).captions(pairs, [DEFAULT_INSTRUCTION] * len(pairs))
    assert scored(captions, truth).share() >= 0.88


def test_training_sees_what_the_processor_makes():
    processor = build_processor()
    examples = [example(random.Random(seed)) for seed in range(2)]
    batch = collate(processor, examples)
    texts = [
        processor.apply_chat_template(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "image"},
                        {"type": "image"},
                        {"type": "text", "text": e.question.prompt},
                    ],
                }
            ],
            add_generation_prompt=True,
        )
        for e in examples
    ]
    images = [Image.fromarray(frame) for e in examples for frame in e.frames]
    inputs = processor(images=images, text=texts, padding=True, return_tensors="pt")
    # Within one step of eight bits, which is 0.015 after normalising.
    torch.testing.assert_close(
        inputs["pixel_values"].view(batch.pixels.shape), batch.pixels, atol=0.016, rtol=0
    )
    for row, (tokens, mask) in enumerate(
        zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
    ):
        prompt = tokens[mask == 1]
        assert batch.tokens[row, : len(prompt)].tolist() == prompt.tolist()
        answer = batch.labels[row][batch.labels[row] != IGNORED]
        told = processor.tokenizer.decode(answer)
        assert told == f" {examples[row].question.answer}</s>"


def test_training_computes_what_the_saved_model_computes():
    torch.manual_seed(0)
    processor = build_processor()
    teacher = Teacher(build_model(processor.tokenizer)).eval()
    batch = collate(processor, [example(random.Random(5))])
    with torch.no_grad():
        _, notes = teacher.telling(batch)
        out = teacher.model(
            input_ids=batch.tokens,
            attention_mask=torch.ones_like(batch.tokens),
            pixel_values=batch.pixels.flatten(0, 1),
            image_sizes=torch.tensor([[189, 336]] * 2),
            labels=batch.labels,
        )
    assert notes["caption_loss"] == pytest.approx(out.loss.item(), rel=1e-4)


@pytest.mark.services
def test_a_killed_training_goes_on_where_it_stopped(tmp_path: Path):
    processor = build_processor()

    def training(budget_s: float) -> Training:
        teacher = Teacher(build_model(processor.tokenizer))
        made = Training(teacher, optimizers_for(teacher), tmp_path / "checkpoint.pt", budget_s)
        made.resume()
        return made

    first = training(0.5)
    first.run(lessons(first.module, processor, random.Random(1), torch.device("cpu")))
    second = training(0.6)
    assert second.step == first.step >= 1
    assert second.spent_s == first.spent_s
    for old, new in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(old, new)


def test_what_training_saves_is_in_half_precision_and_loads(tmp_path: Path):
    processor = build_processor()
    model = build_model(processor.tokenizer)
    save(model, processor, tmp_path)
    loaded = LlavaNextForConditionalGeneration.from_pretrained(tmp_path, dtype="auto")
    assert loaded.dtype == torch.float16
    assert LlavaNextProcessor.from_pretrained(tmp_path).tokenizer.padding_side == "left"
    assert (tmp_path / "model.safetensors").stat().st_size < 9_000_000
