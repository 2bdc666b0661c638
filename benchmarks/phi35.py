"""Phi-3.5-Vision with its cache and SDPA, against what others do for want of a working cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from benchmarks.harness import Contender, Spread, all_equal, compete
from benchmarks.table import NOT_MEASURED, Page, markdown, rounds_table, times_table
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.vlm.adapter import Request, find_family
from kairos_lib.vlm.transformers_adapter import TransformersAdapter

CACHED = "Kairos: cache, SDPA"
UNCACHED = "no cache, eager attention"
TARGET = 15.0
NEW_TOKENS = 256
SMALL = {
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
}
"""Of the language model on a CPU, where the real one would take days without a cache."""
SMALL_TOWER = {
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
}
"""Of about the real tower's share of the work, 0.3 of the language model's: parameters by patches
against parameters by tokens, 0.79 M by 5,770 to 10.5 M by 1,543 here (the last layer is not run),
304 M by 5,770 to 3.8 G by 1,543 there."""
ROTATED = 32
"""Half of the size of a head: how many factors LongRoPE has."""
TIMED_CALLS = 3


def run(
    cache: Path, rounds: int, command: str, say: Callable[[str], None], tokens: int = NEW_TOKENS
) -> Page:
    """Measure the small model on the CPU and, where there is a GPU, the real size."""
    import torch

    page = Page("Phi-3.5-Vision: what the cache brings", command, rounds)
    page.add(_preamble(tokens))
    rows = []
    details = []
    for size, there in (("small, CPU", True), ("real size, GPU", torch.cuda.is_available())):
        if not there:
            rows.append([size, *[NOT_MEASURED] * 6])
            continue
        with TemporaryDirectory() as scratch:
            subject = _Subject(Path(scratch), small="CPU" in size, tokens=tokens)
            comparison = compete(
                [Contender(UNCACHED, subject.uncached), Contender(CACHED, subject.cached)],
                rounds,
                all_equal if "CPU" in size else lambda results: None,
                say,
            )
            ratio = comparison.round_ratios(UNCACHED, CACHED)
            say("seconds per token by content")
            by_content = subject.by_content()
        reached = "reached" if ratio.median >= TARGET else "missed"
        apart = _spread_of(by_content)
        rows.append(
            [
                size,
                f"{subject.adapter.parameters_millions():,.0f} M",
                f"{subject.prompt_tokens:,}",
                *(comparison.spread(name).told() for name in (UNCACHED, CACHED)),
                f"{ratio.told(1)}: **{reached}**" if "CPU" in size else ratio.told(1),
                f"{apart:.1%}",
            ]
        )
        details += [f"## {size}", times_table(comparison, CACHED), _content_table(by_content)]
        details += [rounds_table(comparison)]
    header = [
        "", "parameters", "prompt tokens", "without, s", "with, s", "ratio by round",
        "seconds per token by content differ by",
    ]  # fmt: skip
    page.add(markdown(header, rows), *details)
    return page


class _Subject:
    """The same weights under both kinds of attention."""

    def __init__(self, scratch: Path, small: bool, tokens: int) -> None:
        project = Project.find()
        path = project.parameters / "architectures" / "phi35.yaml"
        if small:
            path = _small(path, scratch)
        self.adapter = _loaded(project, path, "sdpa", small, tokens)
        # Random weights are the same for the same architecture.
        self._eager = _loaded(project, path, "eager", small, tokens)
        self._tokens = tokens
        self._prepared = self.adapter.prepare([_request(0)])
        self.prompt_tokens = self._prepared.prompt_tokens[0]

    def cached(self) -> tuple[int, ...]:
        """As Kairos runs it."""
        return self._generate(self.adapter, True)

    def uncached(self) -> tuple[int, ...]:
        """Every token computes the whole text anew."""
        return self._generate(self._eager, False)

    def _generate(self, adapter: TransformersAdapter, use_cache: bool) -> tuple[int, ...]:
        import torch

        with torch.inference_mode():
            output = adapter.model.generate(
                **self._prepared.inputs, max_new_tokens=self._tokens,
                min_new_tokens=self._tokens, do_sample=False, use_cache=use_cache,
                pad_token_id=adapter.processor.tokenizer.pad_token_id,
            )  # fmt: skip
        adapter.synchronise()
        return tuple(output[0, self.prompt_tokens :].tolist())

    def by_content(self) -> dict[str, Spread]:
        """Milliseconds for each new token, of scenes that show and say other things."""
        found: dict[str, list[float]] = {name: [] for name in CONTENTS}
        for _ in range(TIMED_CALLS):
            for number, name in enumerate(CONTENTS):
                prepared = self.adapter.prepare([_request(number)])
                generated = self.adapter.generate(prepared)
                per_token_s = generated.decode_s / (generated.new_tokens[0] - 1)
                found[name].append(per_token_s * 1000)
        return {name: Spread(tuple(values)) for name, values in found.items()}


CONTENTS = {
    "black pictures": "Speech: one two three four five six seven eight nine ten",
    "noise": "Speech: zebras quarrel about xylophones whilst jugglers vex 42 lynxes",
    "a ramp of greys": "Speech: the the the the the the the the the the",
}


def _request(number: int) -> Request:
    name = list(CONTENTS)[number]
    shape = (360, 640, 3)
    image = {
        "black pictures": np.zeros(shape, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8),
        "a ramp of greys": np.broadcast_to(
            np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], shape
        ),
    }[name]
    words = f"{CONTENTS[name]}\nDescribe in one paragraph what happens in the scene."
    return Request(0, (image, image), (0.0, 2.0), words)


def _small(path: Path, folder: Path) -> Path:
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["config"] |= SMALL
    for factors in ("short_factor", "long_factor"):
        scaling = described["config"]["rope_scaling"]
        scaling[factors] = scaling[factors][:ROTATED]
    described["vision"] = SMALL_TOWER
    found = folder / path.name
    found.write_text(yaml.safe_dump(described), encoding="utf-8")
    return found


def _loaded(
    project: Project, path: Path, attention: str, small: bool, tokens: int
) -> TransformersAdapter:
    changes: dict[str, Any] = {
        "weights": {"source": "dummy", "id": "phi35"},
        "attention": attention,
        "generation": {"max_new_tokens": tokens},
    }
    if small:
        changes |= {"dtype": "float32", "device": "cpu"}
    settings = load(project, Model, "phi35", changes)
    adapter = find_family(settings.family)(settings, path)
    assert isinstance(adapter, TransformersAdapter)
    adapter.load()
    return adapter


def _spread_of(by_content: Mapping[str, Spread]) -> float:
    medians = [spread.median for spread in by_content.values()]
    return max(medians) / min(medians) - 1


def _content_table(by_content: Mapping[str, Spread]) -> str:
    return markdown(
        ["content", "ms per new token, median [range]", "n"],
        [[name, s.told(), str(len(s.values))] for name, s in by_content.items()],
    )


def _preamble(tokens: int) -> str:
    return (
        f"Greedy, {tokens} new tokens after a prompt of two frames of 640×360 in 4 crops each and "
        "an instruction. Both ways have the same random weights; in float32 on the CPU their "
        "tokens are compared in every round and are equal. Without a cache every new token "
        "computes the whole text again, pictures included, as those do who switch off the "
        "original's cache. The small model has the true processor and text length, a language "
        f"model of {SMALL['num_hidden_layers']} layers of {SMALL['hidden_size']}, a vision tower "
        f"of {SMALL_TOWER['num_hidden_layers']} layers."
    )
