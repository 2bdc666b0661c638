"""What hardware each model of a suite needs: computed, next to what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import MODEL, NOTES, Cell, Column, parameters, table
from kairos_lib.results.planned_models import PlannedModel, planned_models
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.vlm.forecast import Dtype, Forecast
from kairos_lib.vlm.loading import SHARE

BATCHES = (1, 8, 32)
# Memory sizes of cards in GiB, with one or two examples of each, from makers' data sheets.
GPUS = {
    8: "RTX 4060",
    12: "RTX 4070",
    16: "T4, RTX 4080",
    24: "L4, RTX 4090",
    40: "A100 40 GB",
    48: "L40S, RTX A6000",
    80: "A100 80 GB, H100",
}
HALF: Dtype = "bfloat16"
"""float16 has the same size."""


@dataclass(frozen=True)
class Precision:
    """How weights, and values computed with them, are stored."""

    dtype: Dtype
    quantisation: str = "none"

    @property
    def title(self) -> str:
        """As shown: `16 bits`, `nf4`."""
        bits = "32 bits" if self.dtype == "float32" else "16 bits"
        if self.quantisation == "none":
            return bits
        return self.quantisation + (f", rest in {bits}" if self.dtype == "float32" else "")


STANDARD = (Precision(HALF), Precision(HALF, "int8"), Precision(HALF, "nf4"))


def hardware(suite: SuiteData) -> Html | None:
    """What each model needs at each precision, and which GPUs have room for it."""
    models = planned_models(suite)
    if not models:
        return None
    known = any(model.forecast is not None for model in models)
    note = render("hardware", share=f"{SHARE:.0%}") if known else None
    return joined(note, _needs(suite, models), _room(models), _without(models))


def _needs(suite: SuiteData, models: list[PlannedModel]) -> Html | None:
    """Sizes, computed, and the peak that was measured."""
    by_model: dict[str, list[Pair]] = {}
    for pair in pairs(suite):
        by_model.setdefault(pair.model, []).append(pair)
    weights = [Precision("float32"), *STANDARD]
    columns = (
        MODEL,
        Column("Parameters"),
        *(Column(f"Weights, {p.title}", explanation=EXPLAINED[p.title]) for p in weights),
        *(
            Column(
                f"KV cache, {formats.count(batch, 'scene')}",
                explanation="Keys and values in 16 bits; in 32 bits twice as much",
            )
            for batch in BATCHES
        ),
        Column("Prompt tokens", explanation="Of the longest prompt; visual ones included"),
        Column("Visual tokens"),
        Column("Measured peak", explanation="Largest of this suite's runs, as they were run"),
        Column(
            "Computed from",
            number=False,
            explanation="The configuration of its weights where they are on this machine, or else "
            "a description of its architecture",
        ),
        NOTES,
    )

    def row(model: PlannedModel, found: Forecast) -> tuple[Cell, ...]:
        of_model = by_model[model.name]
        return (
            model.title,
            parameters(found.parameters_millions),
            *(_weights(found, p) for p in weights),
            *(formats.memory(batch * _cache_mib(model, HALF)) for batch in BATCHES),
            f"{found.prompt_tokens:,}",
            f"{found.visual_tokens:,}",
            _peak(model, of_model),
            "its weights" if model.from_weights else "its description",
            pills(badge for pair in of_model for badge in pair.badges),
        )

    return table(
        "What each model needs, computed",
        columns,
        (row(model, model.forecast) for model in models if model.forecast is not None),
    )


def _weights(found: Forecast, precision: Precision) -> str:
    """Their size; weights that are already quantised have only one."""
    if found.stored_as in ("none", precision.quantisation):
        return formats.memory(found.weights_mib(precision.dtype, precision.quantisation))
    known = any(found.stored_as == one.quantisation for one in STANDARD)
    if known or precision != STANDARD[0]:
        return MISSING
    return f"{formats.memory(found.stored_mib)} {found.stored_as}"


EXPLAINED = {
    "32 bits": "float32, not quantised",
    "16 bits": "bfloat16 or float16, not quantised",
    "int8": "LLM.int8 of bitsandbytes; whatever it does not quantise is in 16 bits",
    "nf4": "4 bits, by bitsandbytes; whatever it does not quantise is in 16 bits",
}


def _peak(model: PlannedModel, of_model: list[Pair]) -> Cell:
    """Peak memory of any run, and at which precision it ran."""
    results = [result for pair in of_model for result in pair.results if result.resources.samples]
    if not results:
        return f"{MISSING} not measured"
    precision = _own(model).title
    on_gpu = [result for result in results if result.resources.peak_vram_mib is not None]
    most = max(
        on_gpu or results, key=lambda r: r.resources.peak_vram_mib or r.resources.peak_ram_mib
    )
    peak_mib = most.resources.peak_vram_mib if on_gpu else most.resources.peak_ram_mib
    where = "VRAM" if on_gpu else "RAM, no GPU"
    batch = f"batch of {most.offline.batch_size}"
    return render(
        "measure", value=formats.memory(peak_mib or 0.0), note=f"{where}; {precision}, {batch}"
    )


def _cache_mib(model: PlannedModel, dtype: Dtype) -> float:
    """KV cache of one scene."""
    assert model.model is not None and model.forecast is not None
    return model.forecast.cache_mib(dtype, model.model.generation)


def _own(model: PlannedModel) -> Precision:
    """The precision in its parameters."""
    assert model.model is not None and model.forecast is not None
    return Precision(model.model.dtype, model.forecast.precision(model.model))


def _room(models: list[PlannedModel]) -> Html | None:
    """The largest batch that each kind of GPU has room for."""
    tried = ", ".join(map(str, BATCHES))
    columns = (
        MODEL,
        Column("Precision", number=False),
        *(
            Column(f"{gib} GiB", explanation=f"Such as {names}: scenes in a batch, of {tried}")
            for gib, names in GPUS.items()
        ),
    )

    def rows(model: PlannedModel, found: Forecast) -> Iterator[tuple[Cell, ...]]:
        own = _own(model)
        # float16 and bfloat16 take the same memory.
        same = Precision(HALF, own.quantisation) if own.dtype == "float16" else own
        others = STANDARD if found.stored_as == "none" else ()
        for precision in dict.fromkeys([same, *others]):
            yield (
                model.title,
                precision.title + (" (this suite)" if precision == same else ""),
                *(_largest(model, found, precision, gib) for gib in GPUS),
            )

    return table(
        "Which GPUs have room, and for how many scenes at once, computed",
        columns,
        (
            row
            for model in models
            if model.forecast is not None
            for row in rows(model, model.forecast)
        ),
    )


def _largest(model: PlannedModel, found: Forecast, precision: Precision, gib: int) -> str:
    room_mib = gib * 1024 * SHARE - found.weights_mib(precision.dtype, precision.quantisation)
    cache_mib = _cache_mib(model, precision.dtype)
    fitting = [batch for batch in BATCHES if batch * cache_mib <= room_mib]
    return f"{max(fitting)}" if fitting else f"{MISSING} no"


def _without(models: list[PlannedModel]) -> Html | None:
    return table(
        "Models without a forecast",
        (MODEL, Column("Why", number=False, wide=True)),
        ((model.title, model.problem) for model in models if model.forecast is None),
    )
