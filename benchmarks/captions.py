"""Our engine against the usual loop, one scene at a time: full-size models, dummy weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clips import world_clip, world_truth
from benchmarks.harness import Comparison, Contender, DisagreementError, compete
from benchmarks.roofline import Roofline, shares
from benchmarks.table import NOT_MEASURED, Page, markdown, rounds_table, times_table
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Query
from kairos_lib.vlm.sampling import draw
from kairos_lib.vlm.transformers_adapter import TransformersAdapter
from kairos_lib.weights.location import find

LOOP = "the usual loop: one scene at a time"
ENGINE = "Kairos: batches, the next one prepared meanwhile"
NEAR_TIE = 1e-4
"""Two best logits this close may change places with the order of a sum."""
CONTEXT = (
    "Speech: welcome back, today we look at how the red circle crosses the field before the blue "
    "one does.\nSounds: whistle (0.91), applause (0.42)\nObjects: circle (2), square (1)\n"
)
"""Of about the length that base processing leaves."""


@dataclass(frozen=True)
class Subject:
    """One model at one precision on one device."""

    model: str
    device: str
    dtype: str
    quantisation: str
    scenes: int
    batch: int
    target: float
    frames: int = 0
    """Of each scene; 0 leaves it to the model's file."""
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """As the table has it."""
        packed = "" if self.quantisation == "none" else f", {self.quantisation}"
        frames = f", {self.frames} frames" if self.frames else ""
        return f"{self.model}, {self.dtype}{packed}{frames}, batch {self.batch}"


SUBJECTS = (
    # The fewer frames, the more of the time is decoding, which is what batches shorten.
    Subject("smolvlm2", "CPU", "float32", "none", 16, 16, 3.0, frames=2),
    Subject("smolvlm2", "CPU", "float32", "none", 4, 4, 3.0, frames=8),
    Subject("llava", "GPU", "bfloat16", "none", 64, 32, 10.0),
    Subject("llava", "GPU", "bfloat16", "nf4", 64, 32, 10.0),
    Subject("phi35", "GPU", "bfloat16", "none", 64, 32, 10.0),
    Subject("phi35", "GPU", "bfloat16", "nf4", 64, 32, 10.0),
)
Captions = tuple[str, ...]


def run(
    cache: Path,
    rounds: int,
    command: str,
    say: Callable[[str], None],
    subjects: Sequence[Subject] = SUBJECTS,
    new_tokens: int | None = None,
) -> Page:
    """Measure each model on the device that it is for, where that is there."""
    import torch

    page = Page("Captions: batches against one scene at a time", command, rounds)
    page.add(_preamble())
    rows, details = [], []
    for subject in subjects:
        if subject.device == "GPU" and not torch.cuda.is_available():
            rows.append([subject.title, subject.device, *[NOT_MEASURED] * 7])
            continue
        say(subject.title)
        trial = _Trial(cache, subject, new_tokens)
        comparison = compete(
            [Contender(LOOP, trial.loop), Contender(ENGINE, trial.engine)],
            rounds,
            trial.agree,
            say,
        )
        rows.append(_row(subject, trial, comparison))
        details += [f"### {subject.title}", times_table(comparison, LOOP), trial.told()]
        details += [rounds_table(comparison)]
    header = [
        "", "device", "loop, scenes/s", "Kairos, scenes/s", "ratio by round", "target",
        "captions that differ", "decode, share of roofline", "prefill, share of roofline",
    ]  # fmt: skip
    page.add(markdown(header, rows), "## Each model", *details)
    return page


class _Trial:
    """One loaded model and the scenes that both ways caption."""

    def __init__(self, cache: Path, subject: Subject, new_tokens: int | None) -> None:
        changes = {
            "weights": {"source": "dummy", "id": subject.model},
            "dtype": subject.dtype,
            "quantisation": subject.quantisation,
            "device": "cpu" if subject.device == "CPU" else "auto",
            **subject.changes,
        }
        if subject.frames:
            changes["frames"] = {"sampling": "even", "count": subject.frames}
        if new_tokens is not None:
            changes["generation"] = {"max_new_tokens": new_tokens}
        project = Project.find()
        self.settings = load(project, Model, subject.model, changes)
        path = find(project, self.settings.weights).path
        assert path is not None
        adapter = find_family(self.settings.family)(self.settings, path)
        assert isinstance(adapter, TransformersAdapter)
        self.adapter = adapter
        self.adapter.load()
        self.subject = subject
        self.differing: list[float] = []
        clip = world_clip(cache, scenes=6, duration_s=40.0)
        self._clip = clip
        length_s = world_truth(clip).duration_s / subject.scenes
        self.scenes = [
            Query.of(self.settings, n, n * length_s, (n + 1) * length_s, self._prompt())
            for n in range(subject.scenes)
        ]
        self._engine = Engine(self.adapter, clip, self.settings.frames.longest_px)

    def _prompt(self) -> str:
        return f"{CONTEXT}{self.settings.prompt.instruction}"

    def loop(self) -> Captions:
        """Frames, processor, `generate` and words of one scene, then the next."""
        import torch

        frames, generation = self.settings.frames, self.settings.generation
        model, tokenizer = self.adapter.model, self.adapter.processor.tokenizer
        texts = []
        for scene in self.scenes:
            (drawn,) = draw(self._clip, [scene.times_s], frames.longest_px)
            request = self._request(scene, drawn)
            inputs = self.adapter.tensors([request]).to(model.device, dtype=model.dtype)
            with torch.inference_mode():
                output = model.generate(
                    **inputs,
                    max_new_tokens=generation.max_new_tokens,
                    min_new_tokens=self._least(),
                    num_beams=generation.num_beams,
                    do_sample=False,
                    pad_token_id=tokenizer.pad_token_id,
                )
            written = output[0, inputs["input_ids"].shape[1] :]
            texts.append(tokenizer.decode(written, skip_special_tokens=True).strip())
        return tuple(texts)

    def engine(self) -> Captions:
        """The offline scenario."""
        size = self.subject.batch
        batches = [self.scenes[at : at + size] for at in range(0, len(self.scenes), size)]
        self.captions = [
            answer for batch in self._engine.offline(batches, size) for answer in batch.answers
        ]
        return tuple(caption.text for caption in self.captions)

    def _request(self, scene: Query, drawn: Any) -> Any:
        from kairos_lib.vlm.adapter import Request

        return Request(scene.number, drawn.images, drawn.times_s, scene.prompt)

    def agree(self, results: Mapping[str, Captions]) -> None:
        """See that both ways write the same.

        Raises:
            DisagreementError: In float32 on a CPU, they part where no two tokens are nearly tied.
        """
        one, other = results[LOOP], results[ENGINE]
        apart = [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        self.differing.append(len(apart) / len(one))
        if self.settings.dtype != "float32" or self.settings.quantisation != "none":
            return
        for number in apart:
            gap = self._gap(number, other[number])
            if gap > NEAR_TIE:
                raise DisagreementError(
                    f"scene {number} is captioned otherwise, and the two best logits are "
                    f"{gap:.1e} apart where the captions part"
                )

    def _gap(self, number: int, other: str) -> float:
        """Between the two best logits where another caption of a scene parts from its own."""
        import torch

        frames, generation = self.settings.frames, self.settings.generation
        scene = self.scenes[number]
        (drawn,) = draw(self._clip, [scene.times_s], frames.longest_px)
        inputs = self.adapter.tensors([self._request(scene, drawn)])
        with torch.inference_mode():
            output = self.adapter.model.generate(
                **inputs, max_new_tokens=generation.max_new_tokens, do_sample=False,
                min_new_tokens=self._least(), output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        written = output.sequences[0, inputs["input_ids"].shape[1] :]
        decode = self.adapter.processor.tokenizer.decode
        for at in range(len(written)):
            so_far = decode(written[: at + 1], skip_special_tokens=True).strip()
            if not other.startswith(so_far):
                break
        best = output.logits[at][0].float().topk(2).values
        return float(best[0] - best[1])

    def _least(self) -> int:
        generation = self.settings.generation
        return generation.max_new_tokens if self.adapter.dummy else generation.min_new_tokens

    def patches(self) -> float:
        """Of pictures, that the vision tower is given of one scene."""
        frames = self.settings.frames
        (drawn,) = draw(self._clip, [self.scenes[0].times_s], frames.longest_px)
        inputs = self.adapter.tensors([self._request(self.scenes[0], drawn)])
        pixels = sum(
            tensor.numel() / 3 for name, tensor in inputs.items() if "pixel_values" in name
        )
        return pixels / float(self.adapter.model.config.vision_config.patch_size) ** 2

    def told(self) -> str:
        """What was truly used."""
        first = self.captions[0]
        width, height = first.frame_size_px or (0, 0)
        return (
            f"{len(self.scenes)} scenes of {len(first.frame_times_s)} frames, {width}×{height} px; "
            f"{first.prompt_tokens:,} tokens of prompt, {first.visual_tokens:,} of them visual, "
            f"and {first.new_tokens} new tokens for each; "
            f"{self.adapter.parameters_millions():,.0f} M parameters."
        )


def _row(subject: Subject, trial: _Trial, comparison: Comparison[Captions]) -> list[str]:
    count = len(trial.scenes)
    ratio = comparison.round_ratios(LOOP, ENGINE)
    reached = "reached" if ratio.median >= subject.target else "missed"
    limits = Roofline.measured(trial.adapter.model.device.type, subject.dtype)
    decode, prefill = shares(limits, trial.adapter.model, trial.captions, trial.patches())
    rates = [
        f"{count / comparison.spread(name).median:.3f}" for name in (LOOP, ENGINE)
    ]  # fmt: skip
    return [
        subject.title,
        subject.device,
        *rates,
        ratio.told(),
        f"{subject.target:g}: **{reached}**",
        f"{max(trial.differing):.0%}",
        f"{decode:.0%}",
        f"{prefill:.0%}",
    ]


def _preamble() -> str:
    return (
        "Both ways run the same loaded model, true architecture at full size with random weights, "
        "over the same scenes with the same prompts, greedy, with the cache on and the same number "
        "of new tokens. The usual loop draws the frames of a scene, runs the processor, `generate` "
        "and the tokenizer, and goes on to the next. Captions are compared in every round: in "
        "float32 on a CPU they must be equal, or part where the two best logits are within "
        f"{NEAR_TIE:g}; elsewhere the share of captions that differ is told. The roofline is what "
        "this machine was measured to do just then: for decoding, the bytes of the language "
        "model's weights, read once for each step of a batch, and of the cache, against the "
        "bandwidth of a copy; for prefill, two operations for each parameter of the language model "
        "and token and for each of the vision tower and patch, against a large product of matrices "
        "(attention is not counted as work)."
    )
