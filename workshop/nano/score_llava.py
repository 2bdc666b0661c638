"""Scores the nano LLaVA on unseen clips: `python -m workshop.nano.score_llava`.

The whole way of a user's run: a clip is rendered, encoded, decoded, scaled, asked about through
the processor and answered by `generate`. The clips' seeds are kept out of training.
"""

from __future__ import annotations

import logging
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from kairos_lib.nano.captions import ATTRIBUTES, caption_of, score
from kairos_lib.nano.narration import sentence
from kairos_lib.nano.script import PLAYED_SOUNDS, Script, random_script
from kairos_lib.nano.truth import SceneTruth
from kairos_lib.parameters.model import Prompt
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.quality.synthetic_world import AttributeScores
from kairos_lib.vlm.context import prompt_of
from workshop.nano.captioner import Captioner, scene_frames
from workshop.nano.clip import make_clip
from workshop.nano.llava import WEIGHTS
from workshop.nano.questions import DEFAULT_INSTRUCTION
from workshop.nano.render import Frame
from workshop.nano.scene_prompts import SceneContext, scene_prompt
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed

log = logging.getLogger("kairos.nano")

BATCH = 8


@click.command()
@click.option("--clips", default=20, show_default=True, help="Unseen clips of six scenes each.")
@click.option("--first-seed", default=500, show_default=True, help="Seed of the first clip.")
@click.option("--context/--no-context", default=False, help="Tell what is said, heard and found.")
@click.option("--four-bit", is_flag=True, help="Load the weights in bitsandbytes' NF4.")
@click.option("--instruction", default=DEFAULT_INSTRUCTION, help="What to ask.")
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, show_default=True)
def main(
    clips: int, first_seed: int, context: bool, four_bit: bool, instruction: str, weights: Path
) -> None:
    """Score the nano LLaVA on clips that it has never seen."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    captioner = Captioner(weights, four_bit=four_bit)
    by_count: dict[int, AttributeScores] = {}
    endings = []
    for seed in range(first_seed, first_seed + clips):
        rng = random.Random(seed)
        scenes, pairs = _unseen(seed)
        contexts = [_context(scene, rng) if context else SceneContext() for scene in scenes]
        prompts = [scene_prompt(instruction, given) for given in contexts]
        captions = _in_batches(captioner, pairs, prompts)
        for scene, given, caption in zip(scenes, contexts, captions, strict=True):
            right = caption_of(scene.scene, transcript=given.transcript, sounds=given.sounds)
            count = len(scene.scene.shapes)
            by_count[count] = by_count.get(count, AttributeScores()) + score(caption, scene.scene)
            endings.append(right.partition(" field.")[2] == caption.partition(" field.")[2])
    total = sum(by_count.values(), AttributeScores())
    rows = [*((f"{count} shapes", by_count[count]) for count in sorted(by_count)), ("all", total)]
    log.info("%-10s%s %10s", "", "".join(f"{name:>12}" for name in ATTRIBUTES), "overall")
    for name, scores in rows:
        shares = "".join(f"{scores.share(attribute):12.3f}" for attribute in ATTRIBUTES)
        log.info("%-10s%s %10.3f", name, shares, scores.share())
    log.info("%d scenes; right about the context: %.3f", len(endings), sum(endings) / len(endings))


def lines(clips: Sequence[Processed]) -> list[Line]:
    """Attributes that captions have right where base processing tells the model what it found."""
    captioner = Captioner()
    scores = AttributeScores()
    for clip in clips:
        findings = VideoFindings(clip.folder)
        prompts = [
            prompt_of(
                findings.of(findings.scenes[clip.scene_at(scene)]),
                Prompt(instruction=DEFAULT_INSTRUCTION),
            )
            for scene in clip.truth.scenes
        ]
        captions = _in_batches(captioner, scene_frames(clip.clip, clip.truth), prompts)
        for scene, caption in zip(clip.truth.scenes, captions, strict=True):
            scores += score(caption, scene.scene)
    size = f"{sum(scores.total.values())} attributes"
    return [
        Line("llava", "attributes right", scores.share(), 0.9, size),
        *(
            Line("llava", f"{name} right", scores.share(name), None, str(scores.total[name]))
            for name in ATTRIBUTES
        ),
    ]


def _in_batches(
    captioner: Captioner, pairs: Sequence[Sequence[Frame]], prompts: Sequence[str]
) -> list[str]:
    captions: list[str] = []
    for start in range(0, len(pairs), BATCH):
        captions += captioner.captions(pairs[start : start + BATCH], prompts[start : start + BATCH])
    return captions


def _unseen(seed: int) -> tuple[tuple[SceneTruth, ...], list[list[Frame]]]:
    """A silent clip from a seed: what is true of its scenes, and their frames."""
    script = _silent(random_script(seed))
    with tempfile.TemporaryDirectory() as folder:
        truth = make_clip(script, Path(folder))
        return truth.scenes, scene_frames(Path(folder) / f"{script.name}.mp4", truth)


def _silent(script: Script) -> Script:
    return replace(script, shots=tuple(replace(shot, track=()) for shot in script.shots))


def _context(scene: SceneTruth, rng: random.Random) -> SceneContext:
    """A context such as base processing would find, with nothing wrong in it."""
    said = [sentence(rng, rng.choice(("match", "recipe", "dialogue", "speech")))]
    objects = Counter(shape.kind for shape in scene.scene.shapes).most_common()
    return SceneContext(said[0], ["speech", rng.choice(PLAYED_SOUNDS)], objects)


if __name__ == "__main__":
    main()
