"""Forecast of what a model will need, before any weights are loaded.

The model is built without memory (on torch's meta device) and the family's own processor prepares
one scene, so that the figures match those of a run. That needs torch, which a plan must not import:
`of` runs this file as a process of its own and caches its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.measure.provenance import key_versions
from kairos_lib.parameters.model import Generation, Model
from kairos_lib.parameters.weights import Weights
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import key_of
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.loading import check_precision
from kairos_lib.weights.checkpoint_files import own_quantisation, stored_bytes
from kairos_lib.weights.location import Found, find

VERSION = 4
"""Raised whenever the same model would give other figures."""
TIMEOUT_S = 300.0
MIB = 2**20
NF4_BYTES = 0.5 + 4 / 64
"""Bytes of a weight in 4 bits, with a scale of 4 bytes for each block of 64 (Dettmers et al.,
"QLoRA", 2023; without its second quantisation of the scales)."""
INT8_BYTES = 1.0
"""Bytes of a weight in 8 bits; the scale of each row is not counted."""
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
Dtype = Literal["float32", "bfloat16", "float16"]
Quantisation = Literal["none", "int8", "nf4"]
# What the figures depend on, apart from the prompt's text. Precision, beams and caption length are
# applied afterwards.
MATTERS: Any = {
    "family": True,
    "weights": {"source"},
    "frames": True,
    "processor": True,
    "prompt": {"instruction"},
}


class Forecast(Record):
    """Needs of one model, as numbers whose bytes depend on the precision."""

    parameters_millions: float
    packed_millions: float
    """Those of them that quantisation packs."""
    cached_per_token: int
    """Values cached for each token: keys and values, layer by layer."""
    prompt_tokens: int
    """For one scene, visual ones included."""
    visual_tokens: int
    question_tokens: int = 0
    """For a scene without any findings: pictures and question, which are never cut."""
    context_tokens: int | None = None
    """Maximum that the model reads and writes for one scene; None if unknown."""
    stored_as: str = "none"
    """Quantisation of the checkpoint itself: it can be run in no other way."""
    stored_mib: float = 0.0
    """Size of those weights."""

    def precision(self, model: Model) -> str:
        """Quantisation of the weights in a run."""
        return model.quantisation if self.stored_as == "none" else self.stored_as

    def weights_mib(self, dtype: Dtype, quantisation: str) -> float:
        """Size of the weights; a quantised checkpoint has only its own."""
        if self.stored_as != "none":
            return self.stored_mib
        whole = DTYPE_BYTES[dtype]
        packed = {"none": whole, "int8": INT8_BYTES, "nf4": NF4_BYTES}[quantisation]
        kept_millions = self.parameters_millions - self.packed_millions
        return (kept_millions * whole + self.packed_millions * packed) * 1e6 / MIB

    def cache_mib(self, dtype: Dtype, generation: Generation) -> float:
        """Size of the cache for one scene's prompt and caption, over all beams.

        Quantisation does not change it.
        """
        tokens = self.prompt_tokens + generation.max_new_tokens
        values = tokens * generation.num_beams * self.cached_per_token
        return values * DTYPE_BYTES[dtype] / MIB

    def needed_mib(self, model: Model) -> float:
        """Weights and cache of a whole batch; memory for computing comes on top."""
        batch = 1 if model.batch_size == "auto" else model.batch_size
        weights_mib = self.weights_mib(model.dtype, model.quantisation)
        return weights_mib + batch * self.cache_mib(model.dtype, model.generation)


def buildable(project: Project, model: Model, described: str) -> tuple[Model, Found]:
    """What a model can be built from: its weights or, if they are missing, its description.

    Args:
        project: The checkout.
        model: The model.
        described: The file of `parameters/architectures` that describes it, if there is one.

    Returns:
        The model, with dummy weights if its own are missing, and the location of the weights.

    Raises:
        KairosError: Both are missing, or the model does not run on this machine.
    """
    if model.weights.source == "server":
        raise KairosError("a server runs it")
    weights = find(project, model.weights)
    if weights.path is None and described:
        dummy = Weights(source="dummy", id=described)
        model, weights = model.model_copy(update={"weights": dummy}), find(project, dummy)
    if weights.path is None:
        raise KairosError("its weights are not here, and no description of its architecture")
    return model, weights


def of(
    project: Project, model: Model, weights: Found, size: tuple[int, int], prompt: str
) -> Forecast:
    """Compute a forecast, or return the cached one.

    Args:
        project: The checkout.
        model: The model; one of a server has none.
        weights: Its checkpoint or its architecture.
        size: Width and height of the video's frames.
        prompt: The prompt for a scene.

    Raises:
        KairosError: The model cannot be built.
    """
    remembered = place(project, model, weights, size, prompt)
    if (known := read_record(remembered, Forecast)) is not None:
        return _as_asked(known, model)
    question = {
        "model": model.model_dump(mode="json"),
        "weights": str(weights.path),
        "size": size,
        "prompt": prompt,
    }
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "kairos_lib.vlm.forecast"],
            input=json.dumps(question), capture_output=True, text=True, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KairosError(f"building it took longer than {TIMEOUT_S:g} s") from None
    try:
        found = Forecast.model_validate_json(answer.stdout)
    except ValidationError:
        said = answer.stderr.strip().splitlines() or ["it ended without a message"]
        raise KairosError(said[-1]) from None
    write_record(remembered, found)
    return _as_asked(found, model)


def _as_asked(found: Forecast, model: Model) -> Forecast:
    try:
        check_precision(model.quantisation, found.stored_as)
    except ValueError as error:
        raise KairosError(str(error)) from error
    return found


def place(
    project: Project, model: Model, weights: Found, size: tuple[int, int], prompt: str
) -> Path:
    """The file that caches a forecast, named by all that it depends on."""
    key = key_of(
        {
            "version": VERSION,
            "family": find_family(model.family).version,
            "weights": weights.identity,
            "model": model.model_dump(mode="json", include=MATTERS),
            "size": size,
            "prompt": prompt,
            "versions": key_versions(),
        }
    )
    return project.runs / "forecasts" / f"{key}.json"


def forecast(model: Model, weights: Path, size: tuple[int, int], prompt: str) -> Forecast:
    """Build a model without its weights and prepare one scene."""
    import numpy as np

    from kairos_lib.media.picture import scaled_size
    from kairos_lib.vlm.adapter import Request
    from kairos_lib.vlm.loading import cached_values
    from kairos_lib.vlm.transformers_adapter import TransformersAdapter

    # Quantisation is applied to the figures afterwards.
    as_they_are = model.model_copy(update={"quantisation": "none"})
    adapter = find_family(model.family)(as_they_are, weights)
    if not isinstance(adapter, TransformersAdapter):
        raise KairosError("it does not run here")
    adapter.load_empty()
    width, height = scaled_size(*size, model.frames.longest_px)
    count = 2 if model.frames.sampling == "start_middle" else model.frames.count
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    times_s = tuple(float(number) for number in range(count))
    full, alone = (
        adapter.counted([Request(0, (frame,) * count, times_s, words)])
        for words in (prompt, model.prompt.instruction)
    )
    whole, packed = _sizes(adapter.model)
    stored_as = "none" if adapter.dummy else own_quantisation(weights)
    return Forecast(
        parameters_millions=whole / 1e6,
        packed_millions=packed / 1e6,
        cached_per_token=cached_values(adapter.model.config),
        prompt_tokens=full.prompt_tokens[0],
        visual_tokens=full.visual_tokens[0],
        question_tokens=alone.prompt_tokens[0],
        context_tokens=adapter.context_tokens,
        stored_as=stored_as,
        stored_mib=0.0 if stored_as == "none" else stored_bytes(weights) / MIB,
    )


def _sizes(model: Any) -> tuple[int, int]:
    """Number of parameters, and of those that quantisation would pack."""
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
    """Answer one request from standard input."""
    question = json.load(sys.stdin)
    model = Model.model_validate(question["model"])
    try:
        answer = forecast(model, Path(question["weights"]), question["size"], question["prompt"])
    except KairosError as error:
        sys.exit(str(error))
    sys.stdout.write(answer.model_dump_json())


if __name__ == "__main__":
    main()
