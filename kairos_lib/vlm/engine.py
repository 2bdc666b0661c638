"""Captions scenes in the two scenarios, and times them.

Knows nothing of run folders or notebooks: it is given scenes and gives captions. The clock of a
scenario starts when it is called, with the weights on the device and warmed up, and is read when
a caption is ready; frame extraction, preprocessing and generation are inside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.measure.clock import Stopwatch
from kairos_lib.records import Caption, Joint, Scene, Timing
from kairos_lib.settings import Model
from kairos_lib.vlm.adapter import (
    Adapter,
    Generated,
    OutOfMemoryError,
    Prepared,
    Request,
    SceneError,
)
from kairos_lib.vlm.sampling import sample

VERSION = 4
"""Raised whenever captions or the meaning of their times change: it is part of a run's key."""
WARM_UP_TOKENS = 4
Prompts = Callable[[Scene], str]
"""What is asked about a scene; ends with the instruction of the model's parameters."""


@dataclass(frozen=True)
class _Ready:
    """A batch that waits for the model."""

    requests: list[Request]
    prepared: Prepared | SceneError | OutOfMemoryError
    """Or why it could not be."""
    frames_s: list[float]
    preprocess_s: float


@dataclass(frozen=True)
class Batch:
    """Captions that were written together."""

    captions: list[Caption]
    limit: int
    """The largest batch that the device is known or hoped to hold."""


class Engine:
    """One loaded model over one video."""

    def __init__(
        self,
        adapter: Adapter,
        settings: Model,
        video: Path,
        prompts: Prompts,
        part: str,
        joints: Sequence[Joint] | None = None,
    ) -> None:
        self._adapter = adapter
        self._settings = settings
        self._video = video
        self._prompts = prompts
        self._part = part
        self._joints = joints

    def warm_up(self, scenes: list[Scene]) -> None:
        """Run a scene for a few tokens, so that no caption pays for a first time.

        It is the first one that goes through the model; what is wrong with others is told later.

        Raises:
            KairosError: None does.
        """
        refused = None
        for request, _ in self._requests(scenes):
            try:
                generated = self._adapter.generate(self._adapter.prepare([request]), WARM_UP_TOKENS)
            except SceneError as error:
                refused = refused or error
                continue
            if generated.reason:
                raise KairosError(generated.reason)
            self._adapter.synchronise()
            self._typical = request
            return
        raise KairosError(f"no scene could be captioned: {refused}")

    def room(self) -> int:
        """How many scenes like the one it was warmed up with have room on the device at once."""
        return self._adapter.room(self._adapter.prepare([self._typical]))

    def single_stream(self, scenes: list[Scene]) -> Iterator[Caption]:
        """One scene at a time with nothing overlapped: latencies, whose parts add up."""
        started = time.perf_counter()
        scene_started = started
        for request, frames_s in self._requests(scenes):
            watch = Stopwatch(self._adapter.synchronise)
            try:
                with watch.part("preprocess"):
                    prepared = self._adapter.prepare([request])
                generated = self._adapter.generate(prepared)
            except (SceneError, OutOfMemoryError) as error:
                caption = self._failed(request, error)
            else:
                if generated.reason:
                    raise KairosError(generated.reason)
                total_s = time.perf_counter() - scene_started
                timing = _timing(frames_s, watch["preprocess"], generated, total_s)
                caption = self._caption(request, prepared, generated, 0, timing, batch_size=1)
            now = time.perf_counter()
            yield caption.model_copy(update={"elapsed_s": now - started})
            # Whoever takes the caption writes it down; that time is no part of the next scene's.
            waited_s = time.perf_counter() - now
            started += waited_s
            scene_started = time.perf_counter()

    def offline(self, batches: list[list[Scene]], limit: int) -> Iterator[Batch]:
        """Batches across scenes, the next one prepared while this one is generated.

        A batch that the device cannot hold is halved, down to one; the size that worked holds for
        what follows. One with a scene that does not go through is halved as well, until that is
        found. A scene that fails alone gets a caption that says why.

        Args:
            batches: Scenes in order of time, already grouped.
            limit: Batches longer than this are split.
        """
        started = time.perf_counter()
        source = self._requests([scene for batch in batches for scene in batch])
        with ThreadPoolExecutor(1) as pool:
            sizes = [len(batch) for batch in batches]
            upcoming = pool.submit(self._ready, source, sizes[0]) if sizes else None
            for number in range(len(sizes)):
                assert upcoming is not None
                ready = upcoming.result()
                if number + 1 < len(sizes):
                    upcoming = pool.submit(self._ready, source, sizes[number + 1])
                for done, held in self._generate(ready, limit):
                    elapsed_s = time.perf_counter() - started
                    yield Batch([c.model_copy(update={"elapsed_s": elapsed_s}) for c in done], held)
                    limit = held

    def _requests(self, scenes: list[Scene]) -> Iterator[tuple[Request, float]]:
        """The scenes as requests, each with the seconds that its frames took."""
        before = time.perf_counter()
        for scene, drawn in sample(self._video, scenes, self._settings.frames, self._joints):
            prompt, asked = self._prompts(scene), self._settings.prompt.instruction
            request = Request(scene.index, drawn.images, drawn.times_s, prompt, asked)
            yield request, time.perf_counter() - before
            before = time.perf_counter()

    def _ready(self, source: Iterator[tuple[Request, float]], size: int) -> _Ready:
        drawn = [next(source) for _ in range(size)]
        return self._prepare([request for request, _ in drawn], [s for _, s in drawn])

    def _prepare(self, requests: list[Request], frames_s: list[float]) -> _Ready:
        before = time.perf_counter()
        prepared: Prepared | SceneError | OutOfMemoryError
        try:
            prepared = self._adapter.prepare(requests)
        except (SceneError, OutOfMemoryError) as error:
            # This runs ahead; captions before it come first.
            prepared = error
        return _Ready(requests, prepared, frames_s, time.perf_counter() - before)

    def _generate(self, ready: _Ready, limit: int) -> Iterator[tuple[list[Caption], int]]:
        """Generate a batch, in parts where it must be; with each, the limit then in force."""
        waiting = [ready]
        while waiting:
            ready = waiting.pop(0)
            size = len(ready.requests)
            if size <= limit:
                try:
                    captions, reason = self._generate_whole(ready)
                except (SceneError, OutOfMemoryError) as error:
                    if size == 1:
                        yield [self._failed(ready.requests[0], error)], limit
                        continue
                    if isinstance(error, SceneError):
                        yield self._halved(ready, limit)
                        continue
                else:
                    if captions:
                        yield captions, limit
                    if reason:
                        raise KairosError(reason)
                    continue
                limit = size // 2
            waiting = [*self._split(ready, limit), *waiting]

    def _halved(self, ready: _Ready, limit: int) -> tuple[list[Caption], int]:
        """A batch in halves that stand alone; one batch on disk, so that resuming halves it too."""
        captions: list[Caption] = []
        for half in self._split(ready, (len(ready.requests) + 1) // 2):
            for done, held in self._generate(half, limit):
                captions += done
                limit = held
        return captions, limit

    def _split(self, ready: _Ready, size: int) -> list[_Ready]:
        parts = [slice(first, first + size) for first in range(0, len(ready.requests), size)]
        return [self._prepare(ready.requests[p], ready.frames_s[p]) for p in parts]

    def _generate_whole(self, ready: _Ready) -> tuple[list[Caption], str]:
        """The captions of a batch, and why some of them are not there."""
        if isinstance(ready.prepared, Exception):
            raise ready.prepared
        prepared = ready.prepared
        before = time.perf_counter()
        generated = self._adapter.generate(prepared)
        size = len(ready.requests)
        spent_s = time.perf_counter() - before
        captions = [
            self._caption(
                request,
                prepared,
                generated,
                place,
                timing=_timing(
                    ready.frames_s[place],
                    ready.preprocess_s / size,
                    generated,
                    total_s=ready.frames_s[place] + (ready.preprocess_s + spent_s) / size,
                    share=1 / size,
                ),
                batch_size=size,
            )
            for place, request in enumerate(ready.requests)
            if place not in generated.unanswered
        ]
        return captions, generated.reason

    def _caption(
        self,
        request: Request,
        prepared: Prepared,
        generated: Generated,
        place: int,
        timing: Timing,
        batch_size: int,
    ) -> Caption:
        return Caption(
            scene=request.scene,
            text=generated.texts[place],
            error=generated.errors[place] if generated.errors else "",
            frame_times_s=request.frame_times_s,
            frame_size_px=request.frame_size_px,
            prompt_tokens=(generated.prompt_tokens or prepared.prompt_tokens)[place],
            visual_tokens=prepared.visual_tokens[place],
            left_out_chars=prepared.left_out_chars[place] if prepared.left_out_chars else 0,
            new_tokens=generated.new_tokens[place],
            truncated=generated.truncated[place],
            timing=timing,
            batch_size=batch_size,
            part=self._part,
        )

    def _failed(self, request: Request, reason: SceneError | OutOfMemoryError) -> Caption:
        scene_only = isinstance(reason, SceneError)
        return Caption(
            scene=request.scene,
            text="",
            error=str(reason) if scene_only else f"out of memory with one scene: {reason}",
            frame_times_s=request.frame_times_s,
            frame_size_px=request.frame_size_px,
            part=self._part,
        )


def _timing(
    frames_s: float, preprocess_s: float, generated: Generated, total_s: float, share: float = 1.0
) -> Timing:
    prefill_s, decode_s = generated.prefill_s * share, generated.decode_s * share
    return Timing(
        frames_s=frames_s,
        preprocess_s=preprocess_s,
        prefill_s=prefill_s,
        decode_s=decode_s,
        other_s=max(0.0, total_s - frames_s - preprocess_s - prefill_s - decode_s),
        total_s=total_s,
    )
