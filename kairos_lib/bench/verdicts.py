"""What became of each task of a submission, and what is to be done next. Starts nothing.

Judged by what the nodes wrote, then by the queue, then by the logs; a task that none of them knows
is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kairos_lib.bench.submission import FINAL, IN_WORDS, Attempt, Fate, Place, Round, Submission
from kairos_lib.launch.slurm import Queued, ending_in
from kairos_lib.runs.manifest import PlannedStep

State = Literal["done", "running", "waiting", "missing", "failed", "blocked"]


@dataclass(frozen=True)
class Next:
    """Tasks of one wave that are to be submitted together."""

    wave: int
    attempt: int
    tasks: tuple[int, ...]


@dataclass(frozen=True)
class Standing:
    """How one task stands."""

    number: int
    state: State
    attempts: int
    """How often it was submitted."""
    record: Attempt | None
    """Of its last attempt, as far as its node wrote one."""
    why: str = ""
    """In one line, where it is missing, failed or blocked."""


@dataclass(frozen=True)
class Verdicts:
    """A submission as its folder has it at this moment."""

    place: Place
    submission: Submission
    rounds: Sequence[Round]
    attempts: Sequence[dict[int, Attempt]]
    """At each task, by its number."""

    @classmethod
    def read(cls, place: Place, submission: Submission) -> Verdicts:
        """Look at a folder."""
        attempts = [place.attempts(number) for number in range(len(submission.tasks))]
        return cls(place, submission, place.rounds(), attempts)

    def round_of(self, number: int) -> Round | None:
        """The last that a task was submitted in."""
        return next((one for one in reversed(self.rounds) if one.array_of(number)), None)

    def done(self, number: int) -> bool:
        """Whether one of the attempts at a task succeeded."""
        return any(record.fate == "done" for record in self.attempts[number].values())

    def planned(self, number: int) -> PlannedStep:
        """A task as the last node that planned it has it; without a folder where none has."""
        for record in reversed(list(self.attempts[number].values())):
            if record.planned is not None:
                return record.planned
        return self.submission.tasks[number].planned

    def fate(self, number: int) -> tuple[Fate, str]:
        """How the last attempt at a task ended, of one that has ended, and what it says itself."""
        if self.done(number):
            return "done", ""
        within = self.round_of(number)
        record = self.attempts[number].get(within.attempt) if within else None
        if record is not None and record.fate is not None:
            return record.fate, record.message
        array = within.array_of(number) if within else None
        log = self.place.log(array, number) if array else None
        told = ending_in(log) if log else ""
        where = f"see {log.relative_to(self.place.folder)}" if log and log.exists() else ""
        for fate in ("limit", "oom", "node", "cancelled"):
            if told == fate:
                return fate, ""
        return ("killed" if record else "gone"), where

    def following(self, wave: int, attempt: int) -> Next | None:
        """What comes after a round: its tasks that are worth another attempt, or the next wave.

        Returns:
            None where nothing is left to do.
        """
        submitted = [
            number
            for one in self.rounds
            if (one.wave, one.attempt) == (wave, attempt)
            for array in one.arrays
            for number in array.tasks
        ]
        if attempt < self.submission.cluster.attempts:
            again = tuple(number for number in submitted if self.fate(number)[0] not in FINAL)
            if again:
                return Next(wave, attempt + 1, again)
        for later in range(wave + 1, self.submission.waves):
            ready = tuple(
                number
                for number in self.submission.of_wave(later)
                if all(self.done(earlier) for earlier in self.submission.tasks[number].after)
            )
            if ready:
                return Next(later, 1, ready)
        return None

    def standings(self, queued: Sequence[Queued] | None) -> list[Standing]:
        """How each task stands.

        Args:
            queued: What SLURM still has; none where it cannot be asked.
        """
        over = self.place.ended() is not None
        found: list[Standing] = []
        for number, task in enumerate(self.submission.tasks):
            failed = next((n for n in task.after if found[n].state in ("failed", "blocked")), None)
            if failed is not None and not self.done(number):
                name = self.submission.tasks[failed].planned.in_words
                found.append(Standing(number, "blocked", 0, None, f"{name} failed"))
            else:
                found.append(self._standing(number, queued, over))
        return found

    def _standing(self, number: int, queued: Sequence[Queued] | None, over: bool) -> Standing:
        within = self.round_of(number)
        if within is None:
            state: State = "missing" if over else "waiting"
            return Standing(number, state, 0, None, "was never submitted" if over else "")
        record = self.attempts[number].get(within.attempt)
        limit = self.submission.cluster.attempts
        if self.done(number):
            return Standing(number, "done", within.attempt, record)
        if record is None or record.fate is None:
            state = "running" if record else "waiting"
            if queued is None:
                if not over:
                    return Standing(number, state, within.attempt, record)
            elif job := self._job(within, number, queued):
                state = "running" if job.runs else "waiting"
                return Standing(number, state, within.attempt, record)
        fate, message = self.fate(number)
        why = f"{IN_WORDS[fate]}{f': {message}' if message else ''}"
        if fate not in FINAL:
            why += f" (attempt {within.attempt} of {limit})"
        final = over or fate in FINAL or within.attempt >= limit
        return Standing(number, "failed" if final else "missing", within.attempt, record, why)

    @staticmethod
    def _job(within: Round, number: int, queued: Sequence[Queued]) -> Queued | None:
        array = within.array_of(number)
        if array is None:
            return None
        key = (array.job, number - array.offset)
        return next((one for one in queued if (one.job, one.index) == key), None)
