"""Suites whose videos have references, and what stands in the report's tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from helpers.suites import SuiteMaker
from kairos_lib.parameters.video import Video
from kairos_lib.quality.reference_captions import keep
from kairos_lib.report.page.html import Html
from kairos_lib.results import suite as suites
from kairos_lib.results.suite import SuiteData

TOLD = ["A dog runs over the grass.", "A cat sleeps on a chair.", "Two men talk at a table."]
WRONG = ["A plane lands.", "Rain falls at night.", "A cook cuts onions."]
NANO: dict[str, Any] = {"weights_source": "nano", "synthetic_video": True}


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


def rows(piece: Html | None, table: int = 0) -> list[list[str]]:
    """The cells of a table without their markup."""
    body = text(piece).split("<tbody>")[1 + table].split("</tbody>")[0]
    return [
        [re.sub(r"<[^>]+>", " ", cell).split("</t")[0].strip()
         for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in body.split("</tr>")[:-1]
    ]  # fmt: skip


def read(maker: SuiteMaker) -> SuiteData:
    return suites.read(maker.write(), "demo")


def refer(maker: SuiteMaker, video: str = "match", spans: int = 3, **source: Path) -> None:
    """Give a video references, as a plan would: of its first scenes, or a clip's truth."""
    if not source:
        path = maker.project.root / f"{video}.json"
        scenes = maker.videos[video][1][:spans]
        path.write_text(
            json.dumps(
                [
                    {"start_s": scene.start_s, "end_s": scene.end_s, "captions": [caption]}
                    for scene, caption in zip(scenes, TOLD, strict=False)
                ]
            )
        )
        source = {"references": path}
    kept = keep(maker.project, Video(name=video, path=Path("x.mp4"), title=video, **source))
    maker.bases = [
        base.model_copy(update={"references": kept}) if base.video == video else base
        for base in maker.bases
    ]
