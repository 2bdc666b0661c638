"""Architecture of the models, from their configurations and weights."""

from __future__ import annotations

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.sections.tables import MODEL, Cell, Column, parameters, table
from kairos_lib.results import rates
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import pairs
from kairos_lib.vlm.records import Architecture, NetworkPart, VlmResult

UNKNOWN = "unknown"


def architecture(suite: SuiteData) -> Html | None:
    """A row for each model, or for each of its builds if the suite has runs of several."""
    columns = (
        MODEL,
        Column("Vision encoder", number=False, wide=True),
        Column("Picture", explanation="Longer side of its input, and the side of its patches"),
        Column("Connector", number=False, wide=True),
        Column(
            "Visual tokens",
            explanation="Per frame, as counted in the runs; a range where videos differ",
        ),
        Column("Language model", number=False, wide=True),
        Column("Context", explanation="Longest text it was made for, in tokens"),
        Column("Attention", number=False),
        Column("Precision", number=False),
    )
    builds: dict[tuple[str, Architecture | None], list[VlmResult]] = {}
    titles: dict[str, str] = {}
    for pair in pairs(suite):
        titles[pair.model] = pair.model_title
        for result in pair.results:
            builds.setdefault((pair.model, result.architecture), []).append(result)
    return table(
        "Architecture",
        columns,
        (_row(titles[model], built, results) for (model, built), results in builds.items()),
    )


def _row(title: str, built: Architecture | None, results: list[VlmResult]) -> tuple[Cell, ...]:
    tokens = _visual_tokens(results)
    if built is None:
        return (title, UNKNOWN, MISSING, UNKNOWN, tokens, UNKNOWN, MISSING, UNKNOWN, UNKNOWN)
    return (
        title,
        _part(built.vision),
        _picture(built),
        _connector(built),
        tokens,
        _part(built.language),
        f"{built.context_tokens:,}" if built.context_tokens else MISSING,
        built.attention or MISSING,
        built.dtype if built.quantisation == "none" else f"{built.quantisation}, {built.dtype}",
    )


def _part(part: NetworkPart | None) -> Cell:
    if part is None:
        return MISSING
    sizes = [
        *([formats.count(part.layers, "layer")] if part.layers else []),
        *([f"{part.hidden_size:,} wide"] if part.hidden_size else []),
        parameters(part.parameters_millions),
    ]
    return render("measure", value=part.kind, note=", ".join(sizes))


def _connector(built: Architecture) -> Cell:
    part = built.connector
    if part is None:
        return MISSING
    queries = [f"{built.queries} queries"] if built.queries else []
    size = parameters(part.parameters_millions)
    return render("measure", value=part.kind, note=", ".join([*queries, size]))


def _picture(built: Architecture) -> str:
    if built.vision is None:
        return MISSING
    whole = f"{built.image_px} px" if built.image_px else "any size"
    return f"{whole} / {built.patch_px}" if built.patch_px else whole


def _visual_tokens(results: list[VlmResult]) -> str:
    counted = [
        tokens
        for result in results
        if (tokens := rates.visual_tokens_per_frame(result.offline)) is not None
    ]
    if not counted:
        return MISSING
    low, high = f"{min(counted):,.0f}", f"{max(counted):,.0f}"
    return low if low == high else f"{low}–{high}"
