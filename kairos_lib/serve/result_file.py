"""The result file of a job: all that is known of a video, written once and never changed.

It is named by what it is made of, so that the same video gives the same file, whoever asks.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from kairos_lib import __version__
from kairos_lib.errors import room_for
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.publish.streams import write_object
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import key_of
from kairos_lib.serve.contract import RESULTS, ResultFile
from kairos_lib.vlm.records import Caption, VlmResult


class SceneOfResult(Record):
    """One scene, with fields of each analyzer's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    scene: Scene
    caption: Caption | None = None


def write_result(project: Project, base: Path, result: BaseResult, vlm: Path | None) -> Path:
    """Write the result file, unless it is there already.

    Args:
        project: The checkout.
        base: Folder of the base run.
        result: Of the base run.
        vlm: Folder of the model's run, which is complete; None without one.

    Returns:
        Its path.

    Raises:
        KairosError: The disk is full, or results cannot be read.
    """
    said = read_record(vlm / "result.json", VlmResult) if vlm else None
    key = key_of(
        {"video": result.facts.sha256, "base": result.key, "vlm": said.key if said else None}
    )
    path = project.runs / RESULTS / f"{key}.json"
    if path.exists():
        return path
    head = ResultFile(
        key=key,
        video=result.video,
        title=result.title,
        video_sha256=result.facts.sha256,
        duration_s=result.facts.duration_s,
        profile=result.profile,
        base=project.relative(base),
        base_key=result.key,
        model=said.model if said else None,
        vlm=project.relative(vlm) if vlm else None,
        vlm_key=said.key if said else None,
    )
    members: dict[str, Record | str] = {"kairos": __version__, "result": head, "analysis": result}
    if said:
        members["captioning"] = said
    whole = path.with_name(f".{key}.{uuid.uuid4().hex}")
    try:
        write_object(whole, members, {"scenes": _scenes(base, vlm)})
        with room_for(path):
            # Unlike a rename it fails if another has written it, which is then the one that counts.
            os.link(whole, path)
    except FileExistsError:
        pass
    finally:
        whole.unlink(missing_ok=True)
    return path


def _scenes(base: Path, vlm: Path | None) -> Iterator[SceneOfResult]:
    journal = Journal(vlm / "captions.jsonl", Caption) if vlm else ()
    captions = {one.scene: one for one in journal}
    for found in VideoFindings(base):
        fields: dict[str, Any] = {}
        for kind, records in found.by_analyzer:
            fields |= kind.exported_data(records)
        yield SceneOfResult(scene=found.scene, caption=captions.get(found.scene.index), **fields)
