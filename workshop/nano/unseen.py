"""Clips that no nano model was trained on, taken through the stages of base processing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kairos_lib.analyzers.analyzer import scene_of
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.media.video import probe
from kairos_lib.nano.script import random_script
from kairos_lib.nano.truth import ClipTruth, SceneTruth
from kairos_lib.pipeline.base_session import base_weights
from kairos_lib.pipeline.graph import Graph
from kairos_lib.pipeline.stage_reports import require
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from workshop.nano.clip import make_clip

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Processed:
    """A clip, what is true of it, and what base processing found in it."""

    clip: Path
    truth: ClipTruth
    folder: Path
    """Of the stages' results, as in any run."""

    def found(self, stage: str, kind: type[R]) -> list[R]:
        """What a stage found.

        Raises:
            KairosError: The stage has no result, such as where its weights are missing.
        """
        path = self.folder / f"{stage}.jsonl"
        if not path.exists():
            raise KairosError(f"stage {stage} found nothing to score: it was skipped or not run")
        return list(Journal(path, kind))

    def scene_at(self, scene: SceneTruth) -> int:
        """The found scene that overlaps a true one most."""
        return scene_of(self.found("scenes", Scene), scene.start_s, scene.end_s)


def processed(seed: int, profile: Base, folder: Path) -> Processed:
    """Make the clip of a seed and process it.

    Args:
        seed: Of the clip's script; below 1,000,000, where the seeds of training begin.
        profile: Says which stages are run, and with which weights.
        folder: Where the clip and the results go.
    """
    script = random_script(seed)
    truth = make_clip(script, folder)
    return process(folder / f"{script.name}.mp4", truth, profile, folder / "results")


def process(clip: Path, truth: ClipTruth, profile: Base, folder: Path) -> Processed:
    """Run the stages of a profile over a clip whose truth is known.

    Raises:
        KairosError: A stage failed.
    """
    graph = Graph(
        video=clip,
        facts=probe(clip, hashlib.sha256(clip.read_bytes()).hexdigest()),
        profile=profile,
        folder=folder,
        # A project of its own: the user's runs are no place for hashes of what is thrown away.
        weights=base_weights(Project(folder), profile),
        progress=lambda stage, done, total: None,
    )
    require(graph.run())
    return Processed(clip, truth, folder)
