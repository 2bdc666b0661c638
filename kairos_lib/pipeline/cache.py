"""Keys of stages, and reuse of results from other base runs of the same video.

Changing one stage's parameters makes a new base run, in which all other stages exist already: their
files are shared with the run that made them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kairos_lib.analyzers.analyzer import Stage, order
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.launch.kernels import own_python
from kairos_lib.measure.provenance import versions
from kairos_lib.parameters.settings import Settings
from kairos_lib.pipeline.records import StageReport
from kairos_lib.runs.files import read_record, write_json, write_record
from kairos_lib.runs.run import key_of
from kairos_lib.weights.location import Found

AFRESH = "afresh"
"""A file in a run's folder: the run reuses nothing of others."""


def stage_keys(profile: Base, video_sha256: str, weights: dict[str, Found]) -> dict[str, str]:
    """The key of each stage of a profile: a hash of everything its results depend on.

    A stage's parameters are the profile's section of the same name.
    """
    keys: dict[str, str] = {}
    for stage in order(profile.stages):
        section = getattr(profile, stage.name) if stage.settings is not Settings else None
        ignored = set(stage.not_in_key)
        needs = (*stage.needs, "scenes") if stage.placed else stage.needs
        keys[stage.name] = key_of(
            {
                "video_sha256": video_sha256,
                "stage": stage.name,
                "version": stage.version,
                "parameters": section.model_dump(mode="json", exclude=ignored) if section else None,
                "weights": weights[stage.name].identity if stage.name in weights else None,
                "needs": {need: keys[need] for need in needs},
                "packages": {
                    package: versions(own_python()).get(package, "absent")
                    for package in stage.packages
                },
            }
        )
    return keys


def start_afresh(folder: Path) -> None:
    """Mark a run that is about to start so that it reuses nothing."""
    write_json(folder / AFRESH, {})


def take_over(folder: Path, stage: type[Stage], key: str) -> bool:
    """Reuse a stage's results from another base run of the video, if one has the same key.

    Returns:
        Whether there were any.
    """
    found = finished(folder, stage, key)
    if found is None:
        return False
    source, report = found
    for name in (f"{stage.name}.jsonl", *stage.files):
        _share(source / name, folder / name)
    write_record(folder / f"{stage.name}.json", report.model_copy(update={"reused": True}))
    return True


def finished(folder: Path, stage: type[Stage], key: str) -> tuple[Path, StageReport] | None:
    """Another base run of the video that has a stage's results: its folder, and its report.

    Args:
        folder: The run that could use them.
        stage: Which stage.
        key: Of the stage: what its results depend on.
    """
    if (folder / AFRESH).exists():
        return None
    for path in sorted(folder.parent.glob(f"*/{stage.name}.json")):
        if path.parent == folder or "superseded" in path.parent.name:
            continue
        try:
            report = read_record(path, StageReport)
        except KairosError:
            continue  # Problems of another run are reported when that one is used.
        if report is not None and report.key == key and report.state == "done":
            return path.parent, report
    return None


def _share(source: Path, target: Path) -> None:
    """Link a file or a folder's files, so that they take no extra space."""
    if source.is_dir():
        for file in sorted(source.iterdir()):
            _share(file, target / file.name)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:  # Some file systems, such as FAT, do not support links.
            shutil.copyfile(source, target)
