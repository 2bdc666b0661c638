"""The record of a finished run: everything needed to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.names import checked_name, inside, quoted
from kairos_lib.runs.files import read_record
from kairos_lib.runs.key_difference import key_inputs, read_mapping
from kairos_lib.runs.run import key_of
from kairos_lib.vlm.records import VlmResult


@dataclass(frozen=True)
class RecordedRun:
    """A model's run on a video, as stored on disk."""

    folder: Path
    result: VlmResult
    key: Mapping[str, Any]
    """What its results depend on."""
    base: Path
    """The run folder of its base processing."""
    video_sha256: str
    job: Mapping[str, Any]
    """Its job file; empty for a run made by hand."""
    provenance: Mapping[str, Any]

    @property
    def given(self) -> Mapping[str, Any]:
        """The parameters that its notebook was given."""
        found = self.job.get("parameters")
        return found if isinstance(found, Mapping) else {}


def read_run(folder: Path) -> RecordedRun:
    """Read a run of a model, which may come from an untrusted source.

    Raises:
        KairosError: It is not one, is not finished, its base processing is missing, or its
            folders are not named as in its record.
    """
    folder = folder.expanduser().resolve()
    result = read_record(folder / "result.json", VlmResult) if _is_vlm(folder) else None
    if result is None:
        raise KairosError(f"{folder} {_wrong(folder)}")
    key = key_inputs(folder)
    _, key_name, video, model, *_ = (folder.name, *(parent.name for parent in folder.parents))
    _same(folder, "model", result.model, checked_name(model, "a model"))
    _same(folder, "video", result.video, checked_name(video, "a video"))
    _same(folder, "repeat", f"r{result.repeat:03d}", folder.name)
    _same(folder, "key", result.key, key_name)
    kept = folder.parents[4] / "base"
    base = kept / video / checked_name(str(key.get("base")), f"the base run of {folder}")
    inside(kept, base, str(folder))
    sha256 = key_inputs(base).get("video_sha256")
    if "parameters" not in key or not sha256:
        gone = folder / "key.json" if "parameters" not in key else base
        raise KairosError(f"{folder} cannot be made again: it needs {gone}, which is gone")
    _same(folder, "key.json", key_of(dict(key)), key_name)
    _same(base, "key.json", key_of(key_inputs(base)), base.name)
    return RecordedRun(
        folder=folder,
        result=result,
        key=key,
        base=base,
        video_sha256=str(sha256),
        job=read_mapping(folder / "job.json"),
        provenance=read_mapping(folder / "provenance.json"),
    )


def _same(folder: Path, what: str, stated: str, named: str) -> None:
    """Check that a record belongs to its folder.

    Raises:
        KairosError: It was changed, or moved to another run's place.
    """
    if stated != named:
        raise KairosError(
            f"{folder} does not match its contents: by its {what} it would be "
            f"{quoted(stated)}, not {quoted(named)}"
        )


def _is_vlm(folder: Path) -> bool:
    """`runs/vlm/<model>/<video>/<key>/rNNN`."""
    return len(folder.parents) > 4 and folder.parents[3].name == "vlm"


def _wrong(folder: Path) -> str:
    """Why a folder cannot be reproduced, and what to name."""
    if not folder.is_dir():
        return "is not there: RUN is a run's folder, such as runs/vlm/nano/demo-match/<key>/r001"
    rounds = sorted(path.parent for path in folder.glob("**/result.json") if _is_vlm(path.parent))
    if rounds and not _is_vlm(folder):
        shown = ", ".join(str(path.relative_to(folder)) for path in rounds[:3])
        return f"is not one run: name one in it, such as {shown}"
    if not _is_vlm(folder):
        return (
            "is not a run of a model: RUN is a folder such as runs/vlm/nano/demo-match/<key>/r001"
        )
    return "has no result: it failed or was cut short, so that there is nothing to reproduce"
