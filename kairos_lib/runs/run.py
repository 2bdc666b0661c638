"""A run: a folder named by a hash of everything its results depend on.

A run that is `done` is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from kairos_lib.errors import KairosError
from kairos_lib.runs import locks
from kairos_lib.runs.files import R, read_record, write_json
from kairos_lib.runs.key_difference import changes, read_mapping
from kairos_lib.runs.key_difference import key_inputs as ingredients_of
from kairos_lib.runs.status import Progress, Status

KEY_HEX_DIGITS = 16
"""64 bits: a collision among a million runs has a chance of about 3 in 10^8."""


EXECUTED = "notebook.ipynb"
"""The executed copy of a run's notebook, in its folder."""
NOTEBOOK_FOLDER = "KAIROS_NOTEBOOK_FOLDER"
"""Environment variable with the folder of a notebook's executed copy: its run's folder."""


LOCK_WAIT_S = 30.0
"""A kernel notices within a second or two that its runner was killed; longer means a live
writer."""


def key_of(key_inputs: dict[str, Any]) -> str:
    """The key of a run: a hash of what its results depend on."""
    canonical = json.dumps(key_inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:KEY_HEX_DIGITS]


@dataclass(frozen=True)
class Run:
    """One run's folder and what its key was made of."""

    folder: Path
    key_inputs: dict[str, Any]
    watch: Callable[[str, int, int], None] | None = field(default=None, compare=False)
    """Told of its progress as well."""

    @property
    def key(self) -> str:
        """Hash of what it depends on."""
        return key_of(self.key_inputs)

    def create(self) -> None:
        """Create the folder and record in it what its key was made of."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not ingredients_of(self.folder):  # The record is missing or damaged.
            write_json(self.folder / "key.json", self.key_inputs)

    def file(self, name: str) -> Path:
        """Path of a file in the folder."""
        return self.folder / name

    def status(self) -> Status | None:
        """How the last attempt ended; None if there was none or it was cut short."""
        try:
            return read_record(self.folder / "status.json", Status)
        except KairosError:
            return None  # Damaged by hand: the run is resumed and finds its results.

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        status = self.status()
        return status is not None and status.state == "done"

    def result(self, kind: type[R]) -> R | None:
        """The notebook's own `result.json`, if it got that far."""
        return read_record(self.folder / "result.json", kind)

    def lock(self, wait_s: float = LOCK_WAIT_S) -> FileLock:
        """Become the folder's only writer; the lock ends with the process that holds it.

        Args:
            wait_s: How long to wait for another writer to end.

        Returns:
            The lock that is held, to be released.

        Raises:
            KairosError: Another process is writing to it.
        """
        self.create()
        return self._writer(wait_s)

    def _writer(self, wait_s: float = LOCK_WAIT_S) -> FileLock:
        refusal = f"another process is writing to {self.folder}: wait for it to end, or stop it"
        return locks.take(self.folder, locks.WRITER, wait_s, refusal)

    def worked_on(self) -> str:
        """Who is working on the run at this moment; empty if no process is."""
        for name, who in ((locks.RUNNER, "another bench"), (locks.WRITER, "a notebook")):
            if locks.held(self.folder, name):
                return who
        return ""

    @contextmanager
    def writing(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Be the only writer during a block; raises as `lock` does."""
        lock = self.lock(wait_s)
        try:
            yield
        finally:
            lock.release()

    def progress(self, step: str, done: int, total: int) -> None:
        """Record how far this run is, for progress displays."""
        write_json(
            self.folder / "progress.json",
            Progress(step=step, done=done, total=total).model_dump(),
            durable=False,
        )
        if self.watch is not None:
            self.watch(step, done, total)

    def set_aside(self) -> None:
        """Move the folder out of the way so that the run starts from scratch; nothing is lost.

        Raises:
            KairosError: Another process is writing to it or using its results.
        """
        if not self.folder.exists():
            return
        refusal = f"another bench or notebook uses {self.folder}: wait for it to end"
        with self._writer(), locks.unused(self.folder, refusal):
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
            self.folder.rename(self.folder.with_name(f"{self.folder.name}.superseded-{stamp}"))

    def difference(self) -> str:
        """Name the ingredients by which the newest run beside this one differs from it."""
        siblings = [
            path
            for path in self._variants().glob(self._pattern())
            if path.parent != self.folder and "superseded" not in str(path)
        ]
        if not siblings:
            return "never run"
        newest = max(siblings, key=lambda path: path.stat().st_mtime)
        then = read_mapping(newest)
        changed = [
            name
            for name in sorted({*then, *self.key_inputs})
            if then.get(name) != self.key_inputs.get(name)
        ]
        return "changed: " + ", ".join(changed) if changed else "never run"

    def _variants(self) -> Path:
        """The folder whose children differ by key; a round is one level further down."""
        return self.folder.parent if self.folder.name == self.key else self.folder.parent.parent

    def _pattern(self) -> str:
        return "*/key.json" if self.folder.name == self.key else f"*/{self.folder.name}/key.json"


def as_planned(own: Run) -> Run:
    """The run that this notebook must work on.

    Args:
        own: As this process determines it from what is on this machine.

    Returns:
        The run of the notebook's job; `own` if it was opened by hand.

    Raises:
        KairosError: It would not be the planned run; the message says what differs.
    """
    folder = _folder_of_job()
    return own if folder is None else _agreeing(own, folder, "")


def base_as_planned(own: Run) -> Run:
    """The base run that this notebook's run uses, in the same way.

    Raises:
        KairosError: It is not the planned one, or that one is missing.
    """
    folder = _folder_of_job()
    if folder is None:
        return own
    key = ingredients_of(folder).get("base")
    if key == own.key or not isinstance(key, str):
        return own  # If the job's run has none, the check of the run itself reports it.
    planned = own.folder.with_name(key)
    if not (planned / "key.json").exists():
        raise KairosError(
            f"the base processing that this run was planned with is not at {planned}: "
            "plan it again on this machine"
        )
    return _agreeing(own, planned, "base.")


def _folder_of_job() -> Path | None:
    folder = os.environ.get(NOTEBOOK_FOLDER)
    return Path(folder) if folder and (Path(folder) / "key.json").exists() else None


def _agreeing(own: Run, planned: Path, within: str) -> Run:
    # Compare as in a file, where tuples are lists.
    now = json.loads(json.dumps(own.key_inputs))
    if differing := changes(ingredients_of(planned), now, within):
        listed = "; ".join(map(str, differing))
        raise KairosError(f"this run was planned for {listed}: plan it again on this machine")
    return Run(planned, own.key_inputs)


def utc_now() -> str:
    """The present time in the format of records."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
