"""One model on one video: used by `vlm.ipynb`, and by a plan that asks about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.measure.provenance import provenance
from kairos_lib.measure.resources import Sampler
from kairos_lib.measure.usage import Resources
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.settings import Changes
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import base_run
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import LOCK_WAIT_S, as_planned, base_as_planned
from kairos_lib.vlm.adapter import Adapter
from kairos_lib.vlm.captioning import Captioning
from kairos_lib.vlm.context import fuse, prompt_of
from kairos_lib.vlm.opening import loaded, weights_here
from kairos_lib.vlm.records import FusedScene, VlmResult
from kairos_lib.vlm.run import device_of, given, vlm_run
from kairos_lib.vlm.tables import captions_table, overview_table, scenarios_table
from kairos_lib.weights.location import Found, find

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


class VlmSession:
    """One session of captioning a video with a model."""

    def __init__(
        self,
        project: Project,
        video: Video,
        profile: Base,
        model: Model,
        repeat: int,
        wait_s: float = LOCK_WAIT_S,
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.project = project
        self.video = video
        self.model = model
        self.repeat = repeat
        base = base_as_planned(base_run(project, video, profile))
        result = base.result(BaseResult)
        if result is None:
            raise KairosError(
                f"base processing of {video.name} is not done: run base.ipynb first, with "
                f"video = {video.name!r} and base = {profile.name!r}"
            )
        if result.missing:
            raise KairosError(
                f"base processing of {video.name} lacks {result.missing[0].name} "
                f"({result.missing[0].reason}): run it again first"
            )
        self.base = result
        self.run = replace(as_planned(vlm_run(project, base, video, model, repeat)), watch=watch)
        self.lock = self.run.lock(wait_s)
        self._rests = ExitStack()
        self._rests.enter_context(locks.kept(base.folder))
        self.findings = VideoFindings(base.folder)
        self.captioning = Captioning(
            self.run,
            model,
            self.findings.scenes,
            lambda scene: prompt_of(self.findings.of(scene), model.prompt),
        )
        self._weights: Found = find(project, model.weights)
        self._load_s = 0.0
        self._sampler = Sampler(self.run.file("resources.jsonl"))

    @classmethod
    def open(
        cls,
        model: str,
        video: str,
        base: str,
        repeat: int = 1,
        changes: Changes | None = None,
    ) -> VlmSession:
        """Open by the names in a notebook's parameters.

        Args:
            model: A file of `parameters/models`.
            video: A file of `parameters/videos`, or the path of any video.
            base: A file of `parameters/base`.
            repeat: Number of the round.
            changes: Overrides for some of the model's parameters.
        """
        threads.settle()  # A kernel opened by hand has no settings yet.
        project = Project.find()
        return cls(
            project,
            find_video(project, video),
            load(project, Base, base),
            load(project, Model, model, changes),
            repeat,
        )

    @property
    def result(self) -> VlmResult | None:
        """The result of this run, once it is complete."""
        return self.run.result(VlmResult)

    def overview(self) -> pd.DataFrame:
        """The work about to be done."""
        have = sum(1 for _ in self.captioning.captions)
        folder = self.project.relative(self.run.folder)
        return overview_table(self.model, self.base, self.video.title, have, folder)

    def load(self, adapter: Adapter | None = None) -> str:
        """Load the model and warm it up; not needed for a run that is complete.

        Args:
            adapter: One that is already loaded, from a worker that keeps it.

        Raises:
            KairosError: Its weights are not here, or cannot be loaded.
        """
        if self.result is not None:
            return "This run is complete: there is nothing to load."
        weights = weights_here(self.project, self.model, self._weights)
        self._sampler.start()
        self.run.progress("load", 0, 1)
        if adapter is None:
            adapter, self._load_s = loaded(self.model, weights)
        self.captioning.use(adapter, self.video.path, self.base.facts.joints)
        largest = self.captioning.largest_batch
        return f"Loaded in {self._load_s:.1f} s and warmed up; largest batch: {largest}."

    def single_stream(self) -> Styler:
        """Caption the sample one scene at a time; existing captions are kept."""
        if self.result is None:
            self.captioning.single_stream()
        return captions_table(self.captioning.alone)

    def offline(self) -> Styler:
        """Caption all scenes in batches; existing captions are kept."""
        if self.result is None:
            self.captioning.offline()
        return captions_table(self.captioning.captions)

    def finish(self) -> pd.DataFrame:
        """Combine all that is known of each scene, sum up, and write the result at the very end."""
        if self.result is None:
            adapter = self.captioning.adapter
            single_stream, offline = self.captioning.scenarios()
            resources = self._resources(adapter)
            Journal(self.run.file("fused.jsonl"), FusedScene).write_all(self._fused())
            write_json(
                self.run.file("provenance.json"),
                {**provenance(self.project), "given": given(self.model)},
            )
            weights, built = self.model.weights, adapter.architecture()
            write_record(
                self.run.file("result.json"),
                VlmResult(
                    key=self.run.key,
                    model=self.model.name,
                    model_title=self.model.title,
                    video=self.video.name,
                    title=self.video.title,
                    repeat=self.repeat,
                    duration_s=self.base.facts.duration_s,
                    scenes=self.base.scenes,
                    load_s=self._load_s,
                    single_stream=single_stream,
                    offline=offline,
                    resources=resources,
                    weights_source="hub" if weights.source == "url" else weights.source,
                    weights=self._weights.identity,
                    device=device_of(self.model),
                    attention=built.attention if built else self.model.attention,
                    batched_otherwise=self.captioning.batched_otherwise(),
                    placement=adapter.placement(),
                    parameters_millions=adapter.parameters_millions(),
                    architecture=built,
                    generation_left_out=adapter.left_out(),
                    synthetic_video=self.video.drawn,
                ),
            )
        self.close()
        assert self.result is not None
        return scenarios_table(self.result)

    def close(self) -> None:
        """Let others write to the run and use its base run; what is done stays done."""
        self._sampler.stop()
        self._rests.close()
        self.lock.release()

    def _resources(self, adapter: Adapter) -> Resources:
        """Resources sampled from outside, with torch's own counts."""
        sampled, peaks = self._sampler.stop(), adapter.memory_peaks()
        if peaks is None:
            return sampled
        counted = {
            "peak_torch_allocated_mib": peaks.allocated_mib,
            "peak_torch_reserved_mib": peaks.reserved_mib,
        }
        return sampled.model_copy(update=counted)

    def _fused(self) -> Iterator[FusedScene]:
        alone = {caption.scene: caption for caption in self.captioning.alone}
        captions = {caption.scene: caption for caption in self.captioning.captions}
        for found in self.findings:
            index = found.scene.index
            yield fuse(found, self.model.prompt, captions[index], alone.get(index))
