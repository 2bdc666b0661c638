"""Captions of a video's scenes, written as they come: resumed, replayed, and timed.

Knows how to resume where a run was cut short; does not know how a model is found or loaded.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.measure import energy
from kairos_lib.media.facts import Joint
from kairos_lib.media.scene import Scene
from kairos_lib.parameters.model import Model
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import Run
from kairos_lib.vlm.adapter import Adapter
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Answer, Query
from kairos_lib.vlm.records import Caption, FittingBatch, PlannedBatch, ScenarioResult
from kairos_lib.vlm.run import FITTING_BATCH
from kairos_lib.vlm.summary import summarise


class Captioning:
    """One model's captions of one video, in one run folder.

    Args:
        run: Where they are written; the caller is its only writer.
        model: Parameters: what to ask, and in which batches.
        scenes: Scenes of the video, in order of time.
        prompts: The prompt for a scene; ends with the model's instruction.
    """

    def __init__(
        self, run: Run, model: Model, scenes: Sequence[Scene], prompts: Callable[[Scene], str]
    ) -> None:
        self._run = run
        self._model = model
        self.scenes = scenes
        self._prompts = prompts
        self.captions = Journal(run.file("captions.jsonl"), Caption)
        self.alone = Journal(run.file("single_stream.jsonl"), Caption)
        self.batches = Journal(run.file("batches.jsonl"), PlannedBatch)
        for journal in (self.captions, self.alone, self.batches):
            journal.repair()
        self._remembered = run.folder.parent / FITTING_BATCH
        self._part = uuid.uuid4().hex[:8]
        self._adapter: Adapter | None = None
        self._engine: Engine | None = None
        self._queries: dict[int, Query] = {}
        self._energy_j: float | None = None
        self.largest_batch = 1
        """From the model's file or the available memory; sizes that failed before are not tried."""

    def use(self, adapter: Adapter, video: Path, joints: Sequence[Joint] | None = None) -> None:
        """Use a model that is loaded, and warm it up.

        Args:
            adapter: Loaded, now or earlier.
            video: The file.
            joints: From a probe of it.

        Raises:
            KairosError: The model can process none of the scenes.
        """
        self._adapter = adapter
        self._engine = Engine(adapter, video, self._model.frames.longest_px, joints)
        self._queries = {scene.index: self._query(scene) for scene in self.scenes}
        self._engine.warm_up(list(self._queries.values()))
        wanted = self._model.batch_size
        limit = self._engine.room() if wanted == "auto" else wanted
        known = read_record(self._remembered, FittingBatch)
        self.largest_batch = min(limit, known.scenes) if known else limit

    @property
    def adapter(self) -> Adapter:
        """The model that captions.

        Raises:
            KairosError: There is none yet.
        """
        if self._adapter is None:
            raise KairosError("the model is not loaded: run the cell with session.load() first")
        return self._adapter

    @property
    def engine(self) -> Engine:
        """The engine that queries it; raises the same."""
        assert self.adapter
        assert self._engine is not None
        return self._engine

    def sample(self) -> list[Scene]:
        """The scenes of the single-stream scenario, spread evenly over the video."""
        scenes = self.scenes
        count = min(self._model.single_stream_scenes, len(scenes))
        return [scenes[i * len(scenes) // count] for i in range(count)]

    def single_stream(self) -> None:
        """Caption the sample one scene at a time; existing captions are kept."""
        sample = self.sample()
        done = {caption.scene for caption in self.alone}
        engine = self.engine
        missing = [self._queries[scene.index] for scene in sample if scene.index not in done]
        for answer in engine.single_stream(missing):
            self.alone.append(self._caption(answer))
            done.add(answer.number)
            self._run.progress("single-stream", len(done), len(sample))

    def offline(self) -> None:
        """Caption all scenes in batches; existing captions are kept.

        Raises:
            KairosError: No scene could be captioned.
        """
        adapter = self.adapter
        adapter.reset_memory_peaks()
        done = {caption.scene for caption in self.captions}
        recorded = {batch.scenes for batch in self.batches}
        batches, limit = self._left(done)
        whole, began_j = not done, energy.used_j(adapter.placement())
        for batch in self.engine.offline(batches, limit):
            numbers = tuple(answer.number for answer in batch.answers)
            if batch.limit < limit:
                # Later rounds need not find this out again.
                write_record(self._remembered, FittingBatch(scenes=batch.limit))
                limit = batch.limit
            if numbers not in recorded:
                self.batches.append(PlannedBatch(scenes=numbers, limit=batch.limit))
            for answer in batch.answers:
                if answer.number not in done:
                    self.captions.append(self._caption(answer))
                    done.add(answer.number)
            self._run.progress("offline", len(done), len(self.scenes))
        ended_j = energy.used_j(adapter.placement())
        if whole and began_j is not None and ended_j is not None:
            self._energy_j = ended_j - began_j
        errors = [caption.error for caption in self.captions]
        if errors and all(errors):
            raise KairosError(
                f"no scene could be captioned: {errors[0]} (FRESH=1 tries all of them again)"
            )

    def scenarios(self) -> tuple[ScenarioResult, ScenarioResult]:
        """Results of single-stream and offline."""
        return (
            summarise("single-stream", self.alone),
            summarise("offline", self.captions, self._energy_j),
        )

    def batched_otherwise(self) -> int:
        """Number of captions in the sample that rounding differences changed in a batch."""
        alone = {caption.scene: caption.text for caption in self.alone}
        return sum(
            alone.get(caption.scene, caption.text) != caption.text for caption in self.captions
        )

    def _left(self, done: set[int]) -> tuple[list[list[Query]], int]:
        """What is left to do: an interrupted batch is replayed whole, the rest is grouped again.

        Through rounding, a caption can depend on what else is in its batch, so
        a resumed run must form the batches that an uninterrupted one would have formed.
        """
        recorded = list(self.batches)
        replayed = [
            [self._queries[number] for number in batch.scenes]
            for batch in recorded
            if not done.issuperset(batch.scenes)
        ]
        limit = recorded[-1].limit if recorded else self.largest_batch
        planned = {number for batch in recorded for number in batch.scenes}
        rest = [query for number, query in self._queries.items() if number not in planned]
        fresh = [rest[first : first + limit] for first in range(0, len(rest), limit)]
        return [*replayed, *fresh], max([limit, *(len(batch) for batch in replayed)])

    def _query(self, scene: Scene) -> Query:
        prompt = self._prompts(scene)
        return Query.of(self._model, scene.index, scene.start_s, scene.end_s, prompt)

    def _caption(self, answer: Answer) -> Caption:
        fields = asdict(answer)
        return Caption(scene=fields.pop("number"), part=self._part, **fields)
