"""How models are built, as the report tells it."""

from __future__ import annotations

import re

from helpers.suites import SuiteMaker, scenario

from kairos_lib.report.sections import architecture
from kairos_lib.results import suite
from kairos_lib.vlm.records import Architecture, NetworkPart

BLIP = Architecture(
    model="InstructBlipForConditionalGeneration",
    vision=NetworkPart(
        kind="instructblip_vision_model", layers=39, hidden_size=1408, parameters_millions=986.0
    ),
    connector=NetworkPart(
        kind="InstructBlipQFormerModel of 12 layers + Linear", parameters_millions=189.0
    ),
    language=NetworkPart(kind="llama", layers=32, hidden_size=4096, parameters_millions=6738.0),
    image_px=224, patch_px=14, queries=32, context_tokens=2048, attention="sdpa", dtype="float16",
    quantisation="nf4",
)  # fmt: skip


def rows(maker: SuiteMaker) -> list[list[str]]:
    """The table's body, tags left out."""
    piece = architecture.architecture(suite.read(maker.write(), "demo"))
    assert piece is not None
    body = str(piece.markup).split("<tbody>")[1]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", " ", cell).strip() for cell in row] for row in found]


def test_a_model_is_told_by_its_parts(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(title="Blip", architecture=BLIP)
    assert rows(maker) == [
        [
            "Blip",
            "instructblip_vision_model 39 layers, 1,408 wide, 986.0 M",
            "224 px / 14",
            "InstructBlipQFormerModel of 12 layers + Linear 32 queries, 189.0 M",
            "400",
            "llama 32 layers, 4,096 wide, 6.7 B",
            "2,048",
            "sdpa",
            "nf4, float16",
        ]
    ]


def test_visual_tokens_are_those_that_were_counted(maker: SuiteMaker) -> None:
    maker.base()
    maker.base(video="other", title="Other")
    maker.done(architecture=BLIP)
    fewer = scenario("offline", 3, 15).model_copy(update={"visual_tokens": 96})
    maker.done(architecture=BLIP, video="other", offline=fewer)
    assert [row[4] for row in rows(maker)] == ["16–400"]


def test_what_a_server_runs_is_unknown(maker: SuiteMaker) -> None:
    maker.base()
    uncounted = scenario("offline", 3, 15).model_copy(update={"visual_tokens": 0})
    maker.done(weights_source="server", offline=uncounted)
    assert rows(maker)[0][1:] == [
        "unknown", "—", "unknown", "—", "unknown", "—", "unknown", "unknown",
    ]  # fmt: skip


def test_a_vision_encoder_of_any_size_says_so(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(architecture=BLIP.model_copy(update={"image_px": None, "quantisation": "none"}))
    row = rows(maker)[0]
    assert (row[2], row[8]) == ("any size / 14", "float16")
