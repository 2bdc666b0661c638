"""Runs queries through a model in the two scenarios, and times it.

Knows nothing of scenes, run folders or notebooks: it takes queries and gives answers. The clock
of a scenario starts when it is called, with the weights on the device and warmed up, and is read
when an answer is ready; frame extraction, preprocessing and generation are included.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.measure.clock import Stopwatch
from kairos_lib.media.facts import Joint
from kairos_lib.vlm.adapter import (
    Adapter,
    Generated,
    OutOfMemoryError,
    Prepared,
    Request,
    SceneError,
)
from kairos_lib.vlm.query import Answer, AnsweredBatch, Query
from kairos_lib.vlm.records import Timing
from kairos_lib.vlm.sampling import draw

VERSION = 4
"""Raised whenever answers or the meaning of their times change: it is part of a run's key."""
WARM_UP_TOKENS = 4


@dataclass(frozen=True)
class _Ready:
    """A batch that is ready for the model."""

    requests: list[Request]
    prepared: Prepared | SceneError | OutOfMemoryError
    """Or why it could not be prepared."""
    frames_s: list[float]
    preprocess_s: float


class Engine:
    """One loaded model over one video.

    Args:
        adapter: Loaded.
        video: The file.
        longest_px: Length of the longer side of the frames; smaller ones are not enlarged.
        joints: From a probe of the file; without them the file is scanned first.
    """

    def __init__(
        self,
        adapter: Adapter,
        video: Path,
        longest_px: int,
        joints: Sequence[Joint] | None = None,
    ) -> None:
        self._adapter = adapter
        self._video = video
        self._longest_px = longest_px
        self._joints = joints

    def warm_up(self, queries: Sequence[Query]) -> None:
        """Run a query for a few tokens, so that first-time costs fall on no answer.

        Uses the first query that the model can process; errors of others are reported later.

        Raises:
            KairosError: It can process none.
        """
        refused = None
        for request, _ in self._requests(queries):
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
        """How many queries like the warm-up query fit on the device at once."""
        return self._adapter.room(self._adapter.prepare([self._typical]))

    def single_stream(self, queries: Sequence[Query]) -> Iterator[Answer]:
        """One query at a time with nothing overlapped: latencies whose parts add up."""
        started = time.perf_counter()
        query_started = started
        for request, frames_s in self._requests(queries):
            watch = Stopwatch(self._adapter.synchronise)
            try:
                with watch.part("preprocess"):
                    prepared = self._adapter.prepare([request])
                generated = self._adapter.generate(prepared)
            except (SceneError, OutOfMemoryError) as error:
                answer = self._failed(request, error)
            else:
                if generated.reason:
                    raise KairosError(generated.reason)
                total_s = time.perf_counter() - query_started
                timing = _timing(frames_s, watch["preprocess"], generated, total_s)
                answer = self._answer(request, prepared, generated, 0, timing, batch_size=1)
            now = time.perf_counter()
            yield replace(answer, elapsed_s=now - started)
            # The consumer writes the answer down; that time is no part of the next query's.
            waited_s = time.perf_counter() - now
            started += waited_s
            query_started = time.perf_counter()

    def offline(self, batches: Sequence[Sequence[Query]], limit: int) -> Iterator[AnsweredBatch]:
        """Batches across queries, the next one prepared while this one is generated.

        A batch that does not fit on the device is halved, down to one; the size that worked is used
        from then on. A batch with a query that cannot be processed is halved as well, until that is
        found. A query that fails alone gets an answer with the reason.

        Args:
            batches: Queries in order of time, already grouped.
            limit: Batches longer than this are split.
        """
        started = time.perf_counter()
        source = self._requests([query for batch in batches for query in batch])
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
                    yield AnsweredBatch([replace(a, elapsed_s=elapsed_s) for a in done], held)
                    limit = held

    def _requests(self, queries: Sequence[Query]) -> Iterator[tuple[Request, float]]:
        """The queries as requests, each with the seconds that extracting its frames took."""
        before = time.perf_counter()
        wanted = [query.times_s for query in queries]
        drawn = draw(self._video, wanted, self._longest_px, self._joints)
        for query, frames in zip(queries, drawn, strict=True):
            request = Request(
                query.number, frames.images, frames.times_s, query.prompt, query.question
            )
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
            # This runs ahead of generation: answers before it come first.
            prepared = error
        return _Ready(requests, prepared, frames_s, time.perf_counter() - before)

    def _generate(self, ready: _Ready, limit: int) -> Iterator[tuple[list[Answer], int]]:
        """Generate a batch, in parts if necessary; each with the limit in force by then."""
        waiting = [ready]
        while waiting:
            ready = waiting.pop(0)
            size = len(ready.requests)
            if size <= limit:
                try:
                    answers, reason = self._generate_whole(ready)
                except (SceneError, OutOfMemoryError) as error:
                    if size == 1:
                        yield [self._failed(ready.requests[0], error)], limit
                        continue
                    if isinstance(error, SceneError):
                        yield self._halved(ready, limit)
                        continue
                else:
                    if answers:
                        yield answers, limit
                    if reason:
                        raise KairosError(reason)
                    continue
                limit = size // 2
            waiting = [*self._split(ready, limit), *waiting]

    def _halved(self, ready: _Ready, limit: int) -> tuple[list[Answer], int]:
        """Run a batch in two halves, recorded as one batch, so that resuming halves it too."""
        answers: list[Answer] = []
        for half in self._split(ready, (len(ready.requests) + 1) // 2):
            for done, held in self._generate(half, limit):
                answers += done
                limit = held
        return answers, limit

    def _split(self, ready: _Ready, size: int) -> list[_Ready]:
        parts = [slice(first, first + size) for first in range(0, len(ready.requests), size)]
        return [self._prepare(ready.requests[p], ready.frames_s[p]) for p in parts]

    def _generate_whole(self, ready: _Ready) -> tuple[list[Answer], str]:
        """The answers of a batch, and why any are missing."""
        if isinstance(ready.prepared, Exception):
            raise ready.prepared
        prepared = ready.prepared
        before = time.perf_counter()
        generated = self._adapter.generate(prepared)
        size = len(ready.requests)
        spent_s = time.perf_counter() - before
        answers = [
            self._answer(
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
        return answers, generated.reason

    def _answer(
        self,
        request: Request,
        prepared: Prepared,
        generated: Generated,
        place: int,
        timing: Timing,
        batch_size: int,
    ) -> Answer:
        return Answer(
            number=request.number,
            text=generated.texts[place],
            error=generated.errors[place] if generated.errors else "",
            frame_times_s=request.frame_times_s,
            frame_size_px=request.frame_size_px,
            prompt_tokens=(generated.prompt_tokens or prepared.prompt_tokens)[place],
            visual_tokens=prepared.visual_tokens[place],
            left_out_chars=prepared.left_out_chars[place] if prepared.left_out_chars else 0,
            new_tokens=generated.new_tokens[place],
            truncated=generated.truncated[place],
            tokens=generated.tokens[place] if generated.tokens else (),
            log_probabilities=generated.log_probabilities[place]
            if generated.log_probabilities
            else (),
            timing=timing,
            batch_size=batch_size,
        )

    def _failed(self, request: Request, reason: SceneError | OutOfMemoryError) -> Answer:
        scene_only = isinstance(reason, SceneError)
        return Answer(
            number=request.number,
            text="",
            error=str(reason) if scene_only else f"out of memory with one scene: {reason}",
            no_room=not scene_only,
            frame_times_s=request.frame_times_s,
            frame_size_px=request.frame_size_px,
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
