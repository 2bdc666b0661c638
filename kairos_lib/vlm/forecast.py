"""What a model will need, before any weights are loaded.

The model is built without memory (on torch's meta device) and the family's own processor prepares
one scene, so that the figures are the ones that a run would find. That needs torch, which a plan
must not import: `of` runs this file as a process of its own and remembers its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.measure.provenance import key_versions
from kairos_lib.project import Project
from kairos_lib.records import Record
from kairos_lib.runs import key_of, read_record, write_record
from kairos_lib.settings import Model
from kairos_lib.weights import Found

VERSION = 1
"""Raised whenever the same model would give other figures."""
TIMEOUT_S = 300.0
MIB = 2**20
NF4_BYTES = 0.5 + 4 / 64
"""Of a weight in 4 bits, with a scale of 4 bytes for each block of 64 (Dettmers et al., "QLoRA",
2023; without its second quantisation of the scales)."""
INT8_BYTES = 1.0
"""Of a weight in 8 bits; the scale of each row is not counted."""
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class Forecast(Record):
    """What one model needs."""

    parameters_millions: float
    weights_mib: dict[str, float]
    """By precision: `none` (unquantised), `int8` and `nf4`."""
    cache_mib: float
    """Keys and values of one scene's prompt and caption, for all beams."""
    prompt_tokens: int
    """Of one scene, visual ones included."""
    visual_tokens: int

    def needed_mib(self, model: Model) -> float:
        """Weights and cache of a whole batch; what computing takes comes on top."""
        batch = 1 if model.batch_size == "auto" else model.batch_size
        return self.weights_mib[model.quantisation] + batch * self.cache_mib


def of(
    project: Project, model: Model, weights: Found, size: tuple[int, int], prompt: str
) -> Forecast:
    """Ask for a forecast.

    Args:
        project: The checkout.
        model: The model; one of a server has none.
        weights: Its checkpoint or its architecture.
        size: Width and height of the video's frames.
        prompt: What it is told about a scene.

    Raises:
        KairosError: The model cannot be built.
    """
    question = {
        "model": model.model_dump(mode="json"),
        "weights": str(weights.path),
        "size": size,
        "prompt": prompt,
    }
    made_of = {"version": VERSION, "weights": weights.identity, "versions": key_versions()}
    key = key_of({"question": question, **made_of})
    remembered = project.runs / "forecasts" / f"{key}.json"
    if (known := read_record(remembered, Forecast)) is not None:
        return known
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "kairos_lib.vlm.forecast"],
            input=json.dumps(question), capture_output=True, text=True, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KairosError(f"it took longer than {TIMEOUT_S:g} s to build it") from None
    try:
        found = Forecast.model_validate_json(answer.stdout)
    except ValidationError:
        said = answer.stderr.strip().splitlines() or ["it ended without a word"]
        raise KairosError(said[-1]) from None
    write_record(remembered, found)
    return found


def forecast(model: Model, weights: Path, size: tuple[int, int], prompt: str) -> Forecast:
    """Build a model without its weights and prepare one scene."""
    import numpy as np

    from kairos_lib.media.picture import scaled_size
    from kairos_lib.vlm.adapter import Request, find_family
    from kairos_lib.vlm.loading import cached_values
    from kairos_lib.vlm.transformers_adapter import TransformersAdapter

    adapter = find_family(model.family)(model, weights)
    if not isinstance(adapter, TransformersAdapter):
        raise KairosError("it is not run here")
    adapter.load_empty()
    width, height = scaled_size(*size, model.frames.longest_px)
    count = 2 if model.frames.sampling == "start_middle" else model.frames.count
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    times_s = tuple(float(number) for number in range(count))
    prepared = adapter.prepare([Request(0, (frame,) * count, times_s, prompt)])
    tokens = prepared.prompt_tokens[0] + model.generation.max_new_tokens
    bytes_each = DTYPE_BYTES[model.dtype]
    whole, linear = _sizes(adapter.model)
    return Forecast(
        parameters_millions=whole / 1e6,
        weights_mib={
            "none": whole * bytes_each / MIB,
            "int8": ((whole - linear) * bytes_each + linear * INT8_BYTES) / MIB,
            "nf4": ((whole - linear) * bytes_each + linear * NF4_BYTES) / MIB,
        },
        cache_mib=tokens
        * model.generation.num_beams
        * cached_values(adapter.model.config)
        * bytes_each
        / MIB,
        prompt_tokens=prepared.prompt_tokens[0],
        visual_tokens=prepared.visual_tokens[0],
    )


def _sizes(model: Any) -> tuple[int, int]:
    """Number of parameters, and of those of them that quantisation would pack."""
    import torch
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = get_keys_to_not_convert(model)
    linear = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and should_convert_module(name, kept)
    )
    return sum(parameter.numel() for parameter in model.parameters()), linear


def main() -> None:
    """Answer one question from standard input."""
    question = json.load(sys.stdin)
    model = Model.model_validate(question["model"])
    try:
        answer = forecast(model, Path(question["weights"]), question["size"], question["prompt"])
    except KairosError as error:
        sys.exit(str(error))
    sys.stdout.write(answer.model_dump_json())


if __name__ == "__main__":
    main()
