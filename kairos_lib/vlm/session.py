"""One model over one video: what `vlm.ipynb` calls, and what a plan asks about it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from kairos_lib import locks
from kairos_lib.errors import KairosError
from kairos_lib.findings import BaseFindings
from kairos_lib.measure import energy, threads
from kairos_lib.measure.provenance import provenance
from kairos_lib.measure.resources import Sampler
from kairos_lib.parameters import fetching, load
from kairos_lib.parameters import video as find_video
from kairos_lib.project import Project
from kairos_lib.records import (
    BaseResult,
    Caption,
    FittingBatch,
    FusedScene,
    PlannedBatch,
    Resources,
    Scene,
    VlmResult,
)
from kairos_lib.runs import (
    Journal,
    read_record,
    write_json,
    write_record,
)
from kairos_lib.settings import Base, Changes, Model, Video
from kairos_lib.stages.session import base_run
from kairos_lib.vlm import engine
from kairos_lib.vlm.adapter import Adapter, find_family
from kairos_lib.vlm.context import fuse, prompt_of
from kairos_lib.vlm.run import FITTING_BATCH, device_of, given, vlm_run
from kairos_lib.vlm.summary import summarise
from kairos_lib.vlm.tables import captions_table, overview_table, scenarios_table
from kairos_lib.weights import Found, find

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


class VlmSession:
    """One sitting at a model's captions of a video."""

    def __init__(
        self, project: Project, video: Video, profile: Base, model: Model, repeat: int
    ) -> None:
        self.project = project
        self.video = video
        self.model = model
        self.repeat = repeat
        base = base_run(project, video, profile)
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
        self.run = vlm_run(project, base, video, model, repeat)
        self.lock = self.run.lock()
        self._rests = ExitStack()
        self._rests.enter_context(locks.kept(base.folder))
        self.findings = BaseFindings(base.folder)
        self.captions = Journal(self.run.file("captions.jsonl"), Caption)
        self.alone = Journal(self.run.file("single_stream.jsonl"), Caption)
        self.batches = Journal(self.run.file("batches.jsonl"), PlannedBatch)
        for journal in (self.captions, self.alone, self.batches):
            journal.repair()
        self._weights: Found = find(project, model.weights)
        self._engine: engine.Engine | None = None
        self._adapter: Adapter | None = None
        self._load_s = 0.0
        self._energy_j: float | None = None
        self._limit = 1
        self._remembered = self.run.folder.parent / FITTING_BATCH
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
        """Open by the names that a notebook's parameters give.

        Args:
            model: A file of `parameters/models`.
            video: A file of `parameters/videos`, or the path of any video.
            base: A file of `parameters/base`.
            repeat: Which round.
            changes: Some of the model's parameters, in the place of its own.
        """
        threads.settle()  # A kernel that somebody opened by hand has nothing set.
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
        """What this run came to, once it is complete."""
        return self.run.result(VlmResult)

    def overview(self) -> pd.DataFrame:
        """What is about to be worked on."""
        have = sum(1 for _ in self.captions)
        folder = self.project.relative(self.run.folder)
        return overview_table(self.model, self.base, self.video.title, have, folder)

    def load(self) -> str:
        """Load the model and warm it up; a run that is complete needs none."""
        if self.result is not None:
            return "This run is complete: there is nothing to load."
        if self._weights.path is None:
            raise KairosError(
                f"the weights of {self.model.name} are not here: {self._weights.missing}; "
                f"{fetching(self.project, self.model.weights)}"
            )
        self._sampler.start()
        self.run.progress("load", 0, 1)
        started = time.perf_counter()
        adapter = find_family(self.model.family)(self.model, self._weights.path)
        adapter.load()
        adapter.synchronise()
        self._load_s = time.perf_counter() - started
        self._adapter = adapter
        self._engine = engine.Engine(
            adapter,
            self.model,
            self.video.path,
            lambda scene: prompt_of(self.findings.of(scene), self.model.prompt),
            part=uuid.uuid4().hex[:8],
            joints=self.base.facts.joints,
        )
        self._engine.warm_up(self.findings.scenes)
        self._limit = self._largest_batch(self._engine)
        return f"Loaded in {self._load_s:.1f} s and warmed up; largest batch: {self._limit}."

    def _largest_batch(self, loaded: engine.Engine) -> int:
        """As the model's file says or as there is room for, but what failed before is not tried."""
        wanted = self.model.batch_size
        limit = loaded.room() if wanted == "auto" else wanted
        known = read_record(self._remembered, FittingBatch)
        return min(limit, known.scenes) if known else limit

    def sample(self) -> list[Scene]:
        """The scenes of the single-stream scenario, spread evenly over the video."""
        scenes = self.findings.scenes
        count = min(self.model.single_stream_scenes, len(scenes))
        return [scenes[i * len(scenes) // count] for i in range(count)]

    def single_stream(self) -> Styler:
        """Caption the sample one scene at a time; what is there already is kept."""
        sample = self.sample()
        if self.result is None:
            done = {caption.scene for caption in self.alone}
            missing = [scene for scene in sample if scene.index not in done]
            for caption in self._loaded().single_stream(missing):
                self.alone.append(caption)
                done.add(caption.scene)
                self.run.progress("single-stream", len(done), len(sample))
        return captions_table(self.alone)

    def offline(self) -> Styler:
        """Caption all scenes in batches; what is there already is kept."""
        if self.result is None:
            adapter = self._adapter_loaded()
            adapter.reset_memory_peaks()
            scenes = self.findings.scenes
            done = {caption.scene for caption in self.captions}
            recorded = {batch.scenes for batch in self.batches}
            batches, limit = self._batches(done)
            whole, began_j = not done, energy.used_j(adapter.placement())
            for batch in self._loaded().offline(batches, limit):
                numbers = tuple(caption.scene for caption in batch.captions)
                if batch.limit < limit:
                    # Rounds to come are spared what this one had to find out.
                    write_record(self._remembered, FittingBatch(scenes=batch.limit))
                    limit = batch.limit
                if numbers not in recorded:
                    self.batches.append(PlannedBatch(scenes=numbers, limit=batch.limit))
                for caption in batch.captions:
                    if caption.scene not in done:
                        self.captions.append(caption)
                        done.add(caption.scene)
                self.run.progress("offline", len(done), len(scenes))
            ended_j = energy.used_j(adapter.placement())
            if whole and began_j is not None and ended_j is not None:
                self._energy_j = ended_j - began_j
            errors = [caption.error for caption in self.captions]
            if errors and all(errors):
                raise KairosError(
                    f"no scene could be captioned: {errors[0]} (FRESH=1 tries all of them again)"
                )
        return captions_table(self.captions)

    def _batches(self, done: set[int]) -> tuple[list[list[Scene]], int]:
        """What is left to do: a batch cut short is replayed whole, the rest is grouped anew.

        A caption can depend on what else is in its batch by the last bits of the arithmetic, so
        a resumed run must form the batches that an uninterrupted one would have formed.
        """
        scenes = self.findings.scenes
        recorded = list(self.batches)
        replayed = [
            [scenes[i] for i in batch.scenes]
            for batch in recorded
            if not done.issuperset(batch.scenes)
        ]
        limit = recorded[-1].limit if recorded else self._limit
        planned = {i for batch in recorded for i in batch.scenes}
        rest = [scene for scene in scenes if scene.index not in planned]
        fresh = [rest[first : first + limit] for first in range(0, len(rest), limit)]
        return [*replayed, *fresh], max([limit, *(len(batch) for batch in replayed)])

    def finish(self) -> pd.DataFrame:
        """Fuse all that is known of each scene, sum up, and write the result: the last act."""
        if self.result is None:
            adapter = self._adapter_loaded()
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
                    single_stream=summarise("single-stream", self.alone),
                    offline=summarise("offline", self.captions, self._energy_j),
                    resources=resources,
                    weights_source="hub" if weights.source == "url" else weights.source,
                    weights=self._weights.identity,
                    device=device_of(self.model),
                    attention=built.attention if built else self.model.attention,
                    batched_otherwise=self._batched_otherwise(),
                    placement=adapter.placement(),
                    parameters_millions=adapter.parameters_millions(),
                    architecture=built,
                    generation_left_out=adapter.left_out(),
                    synthetic_video=self.video.truth is not None,
                ),
            )
        self._rests.close()
        self.lock.release()
        assert self.result is not None
        return scenarios_table(self.result)

    def _resources(self, adapter: Adapter) -> Resources:
        """What was sampled from outside, with what torch itself counted."""
        sampled, peaks = self._sampler.stop(), adapter.memory_peaks()
        if peaks is None:
            return sampled
        counted = {
            "peak_torch_allocated_mib": peaks.allocated_mib,
            "peak_torch_reserved_mib": peaks.reserved_mib,
        }
        return sampled.model_copy(update=counted)

    def _batched_otherwise(self) -> int:
        """How many captions the last bits of the arithmetic changed."""
        alone = {caption.scene: caption.text for caption in self.alone}
        return sum(
            alone.get(caption.scene, caption.text) != caption.text for caption in self.captions
        )

    def _fused(self) -> Iterator[FusedScene]:
        alone = {caption.scene: caption for caption in self.alone}
        captions = {caption.scene: caption for caption in self.captions}
        for found in self.findings:
            index = found.scene.index
            yield fuse(found, self.model.prompt, captions[index], alone.get(index))

    def _loaded(self) -> engine.Engine:
        if self._engine is None:
            raise KairosError("the model is not loaded: run the cell with session.load() first")
        return self._engine

    def _adapter_loaded(self) -> Adapter:
        self._loaded()
        assert self._adapter is not None
        return self._adapter
