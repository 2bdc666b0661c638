"""A model is asked about windows, batch by batch; what it says is written down as it comes.

Knows how to go on where a run was cut short; knows nothing of how a model is found or loaded.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from kairos_lib.errors import KairosError
from kairos_lib.events.answers import parse
from kairos_lib.events.merging import DECIMALS
from kairos_lib.events.records import WindowAnswer
from kairos_lib.events.windows import Window
from kairos_lib.media.facts import Joint
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import Run
from kairos_lib.vlm.adapter import Adapter
from kairos_lib.vlm.choosing import Choosing
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Answer, Query

WINDOWS = "windows.jsonl"
SMALLER = 2
"""A window that has no room even alone is asked about again with frames so many times smaller."""


class Asking:
    """One model's answers about the windows of one video, or of one slice of it.

    Args:
        run: Where they are written; its one writer is whoever made this.
        spotting: What is asked.
        batches: The windows, as they are to be asked about together.
    """

    def __init__(self, run: Run, spotting: Spotting, batches: Sequence[Sequence[Window]]) -> None:
        self._run = run
        self._spotting = spotting
        self._batches = batches
        self.windows = {window.number: window for batch in batches for window in batch}
        """By their numbers."""
        self.answers = Journal(run.file(WINDOWS), WindowAnswer)
        self.answers.repair()
        self._part = uuid.uuid4().hex[:8]
        self._adapter: Adapter | None = None

    @property
    def done(self) -> set[int]:
        """The windows that have been answered."""
        return {answer.window for answer in self.answers} & {*self.windows}

    @property
    def complete(self) -> bool:
        """Whether all of them have."""
        return len(self.done) == len(self.windows)

    def use(self, adapter: Adapter, video: Path, joints: Sequence[Joint] | None = None) -> None:
        """Take a model that is loaded, and warm it up.

        Args:
            adapter: Loaded.
            video: The file.
            joints: What a probe says of it.

        Raises:
            KairosError: No window goes through it.
        """
        sampling = self._spotting.sampling
        adapter.choosing = Choosing(sampling.temperature, sampling.top_p, sampling.seed)
        self._adapter, self._video, self._joints = adapter, video, joints
        self._engine = self._sized(self._spotting.windows.longest_px)
        self._engine.warm_up([self._query(window) for window in self.windows.values()])

    def ask(self) -> None:
        """Ask about all windows; what is there already is kept.

        A batch that was cut short is asked about again whole, so that each window is always in the
        same company.

        Raises:
            KairosError: No model was taken yet, or none of the windows could be answered.
        """
        if self._adapter is None:
            raise KairosError("the model is not loaded: run the cell with session.load() first")
        done = self.done
        left = [
            [self._query(window) for window in batch]
            for batch in self._batches
            if not done.issuperset(window.number for window in batch)
        ]
        for batch in self._engine.offline(left, max(map(len, left), default=1)):
            for answer in batch.answers:
                if answer.number not in done:
                    self.answers.append(self._answered(self._with_room(answer)))
                    done.add(answer.number)
            self._adapter.release_memory()
            self._run.progress("windows", len(done), len(self.windows))
        errors = [answer.error for answer in self.answers]
        if errors and all(errors):
            raise KairosError(
                f"no window could be answered: {errors[0]} (FRESH=1 tries them again)"
            )

    def _sized(self, longest_px: int) -> Engine:
        assert self._adapter is not None
        return Engine(self._adapter, self._video, longest_px, self._joints)

    def _query(self, window: Window) -> Query:
        prompt = self._spotting.prompt
        return Query(window.number, window.start_s, window.end_s, window.times_s, prompt, prompt)

    def _with_room(self, answer: Answer) -> Answer:
        """One that had no room even alone, asked once more with smaller frames."""
        if not answer.no_room:
            return answer
        smaller = self._sized(max(1, self._spotting.windows.longest_px // SMALLER))
        query = self._query(self.windows[answer.number])
        (batch,) = smaller.offline([[query]], 1)
        return replace(batch.answers[0], elapsed_s=answer.elapsed_s)

    def _answered(self, answer: Answer) -> WindowAnswer:
        """An answer as it is written down."""
        window = self.windows[answer.number]
        common = WindowAnswer(
            window=window.number,
            start_s=window.start_s,
            end_s=window.end_s,
            outcome="failed",
            text=answer.text,
            error=answer.error,
            frame_times_s=answer.frame_times_s,
            frame_size_px=answer.frame_size_px,
            prompt_tokens=answer.prompt_tokens,
            visual_tokens=answer.visual_tokens,
            new_tokens=answer.new_tokens,
            truncated=answer.truncated,
            timing=answer.timing,
            batch_size=answer.batch_size,
            part=self._part,
            elapsed_s=answer.elapsed_s,
        )
        if answer.error:
            return common
        found = parse(answer.text, self._spotting)
        return common.model_copy(
            update={
                "outcome": found.outcome,
                "label": found.label,
                "said": found.said,
                "time_s": _moment_s(window, answer, found.time_s),
                "probability": self._probability(answer, found.label_at),
                "said_confidence": found.confidence,
                "team": found.team,
                "details": found.details,
            }
        )

    def _probability(self, answer: Answer, label_at: tuple[int, int] | None) -> float | None:
        """Mean probability of the label's own tokens."""
        if label_at is None or not answer.log_probabilities:
            return None
        assert self._adapter is not None
        places = self._adapter.tokens_of(answer.tokens, label_at)
        own = [math.exp(answer.log_probabilities[place]) for place in places]
        return round(fmean(own), DECIMALS) if own else None


def _moment_s(window: Window, answer: Answer, named_s: float | None) -> float | None:
    """The moment of the frame that an answer names, by seconds from the window's first."""
    if named_s is None or not 0 <= named_s <= window.end_s - window.start_s:
        return None
    wanted_s = window.start_s + named_s
    return min(answer.frame_times_s, key=lambda time_s: abs(time_s - wanted_s), default=None)
