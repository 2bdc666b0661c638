"""Run folders: keys, status, append-only journals, one writer at a time.

Knows nothing of videos, models or notebooks: a run is a folder named by a hash of all that its
results depend on, and a run that is `done` is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock
from pydantic import ValidationError

from kairos_lib import locks
from kairos_lib.errors import KairosError, room_for
from kairos_lib.ingredients import read_mapping
from kairos_lib.records import Progress, Record, Status

KEY_HEX_DIGITS = 16
"""64 bits: a collision among a million runs has a chance of about 3 in 10^8."""
EXECUTED = "notebook.ipynb"
"""The executed copy of a run's notebook, in its folder."""
LOCK_WAIT_S = 30.0
"""A kernel whose runner was killed notices within a second or two; longer means a live writer."""

R = TypeVar("R", bound=Record)


def key_of(ingredients: dict[str, Any]) -> str:
    """The key of a run: a hash of what its results depend on."""
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:KEY_HEX_DIGITS]


@dataclass(frozen=True)
class Run:
    """One run's folder and what its key was made of."""

    folder: Path
    ingredients: dict[str, Any]

    @property
    def key(self) -> str:
        """Hash of the ingredients."""
        return key_of(self.ingredients)

    def create(self) -> None:
        """Make the folder and say in it what its key stands for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "key.json").exists():
            write_json(self.folder / "key.json", self.ingredients)

    def file(self, name: str) -> Path:
        """Path of a file in the folder."""
        return self.folder / name

    def status(self) -> Status | None:
        """How the last attempt ended; none where there was none or it was cut short."""
        try:
            return read_record(self.folder / "status.json", Status)
        except KairosError:
            return None  # Damaged by hand: the run is taken up again and finds its results.

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        status = self.status()
        return status is not None and status.state == "done"

    def result(self, kind: type[R]) -> R | None:
        """The notebook's own `result.json`, where it got that far."""
        return read_record(self.folder / "result.json", kind)

    def lock(self) -> FileLock:
        """Become the folder's one writer; the lock goes with the process that holds it.

        Returns:
            The lock that is held, to be released.

        Raises:
            KairosError: Another process is writing to it.
        """
        self.create()
        return self._writer()

    def _writer(self) -> FileLock:
        refusal = f"another process is writing to {self.folder}: wait for it to end, or stop it"
        return locks.take(self.folder, locks.WRITER, LOCK_WAIT_S, refusal)

    def worked_on(self) -> str:
        """Who works on the run at this moment; empty where nobody does."""
        for name, who in ((locks.RUNNER, "another bench"), (locks.WRITER, "a notebook")):
            if locks.held(self.folder, name):
                return who
        return ""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer for the length of a block."""
        lock = self.lock()
        try:
            yield
        finally:
            lock.release()

    def progress(self, step: str, done: int, total: int) -> None:
        """Say how far this run is, for whoever watches."""
        write_json(
            self.folder / "progress.json",
            Progress(step=step, done=done, total=total).model_dump(),
            durable=False,
        )

    def set_aside(self) -> None:
        """Move the folder out of the way so that the run starts afresh; nothing is lost.

        Raises:
            KairosError: Another process is writing to it, or rests on what is in it.
        """
        if not self.folder.exists():
            return
        refusal = f"another bench or notebook rests on {self.folder}: wait for it to end"
        with self._writer(), locks.unused(self.folder, refusal):
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
            self.folder.rename(self.folder.with_name(f"{self.folder.name}.superseded-{stamp}"))

    def difference(self) -> str:
        """Say which ingredient keeps the newest run beside this one from being the same."""
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
            for name in sorted({*then, *self.ingredients})
            if then.get(name) != self.ingredients.get(name)
        ]
        return "changed: " + ", ".join(changed) if changed else "never run"

    def _variants(self) -> Path:
        """The folder whose children differ by key; a round lies one level further down."""
        return self.folder.parent if self.folder.name == self.key else self.folder.parent.parent

    def _pattern(self) -> str:
        return "*/key.json" if self.folder.name == self.key else f"*/{self.folder.name}/key.json"


class Journal(Generic[R]):
    """An append-only JSON Lines file of one kind of record.

    A line is written whole and flushed at once. The one line that a killed writer can leave torn
    is the last, and it is cut off before the next is written.
    """

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self.kind = kind

    def repair(self) -> None:
        """Cut off a last line without its end. Only the run's one writer may call this."""
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            keep = size
            while keep > 0:
                step = min(keep, 65536)
                file.seek(keep - step)
                end = file.read(step).rfind(b"\n")
                if end >= 0:
                    keep = keep - step + end + 1
                    break
                keep -= step
            if keep != size:
                file.truncate(keep)

    def append(self, record: R) -> None:
        """Write one record and hand it to the operating system: all of it, or nothing."""
        line = memoryview(record.model_dump_json().encode() + b"\n")
        with room_for(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    while line:
                        line = line[file.write(line) :]
                except OSError:
                    file.truncate(size)  # What comes next must not be glued to half a line.
                    raise

    def __iter__(self) -> Iterator[R]:
        """Read record by record; memory does not grow with the file.

        Raises:
            KairosError: A whole line is not such a record: the file was changed by hand.
        """
        for _, record in self.placed():
            yield record

    def placed(self) -> Iterator[tuple[int, R]]:
        """Each record with its place in the file, for `at`."""
        if not self.path.exists():
            return
        place = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield place, self.kind.model_validate_json(line)
                except ValidationError as error:
                    raise KairosError(
                        f"{self.path}, line {number}: not a valid {self.kind.__name__}: "
                        "run again with FRESH=1"
                    ) from error
                place += len(line)

    def at(self, places: Iterable[int]) -> list[R]:
        """The records at places in the file."""
        found = []
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place)
                found.append(self.kind.model_validate_json(file.readline()))
        return found

    def write_all(self, records: Iterator[R]) -> int:
        """Replace the whole file at once, so that a reader sees all of it or none.

        Returns:
            The number of records.
        """
        count = 0
        with replacing(self.path) as file:
            for record in records:
                file.write(record.model_dump_json().encode() + b"\n")
                count += 1
        return count


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Any]:
    """A file to write to (bytes) that takes a path's place, all at once, when it is whole."""
    # Not `tempfile`: its files can be read by their owner alone, and results are for others too.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part."""
    with replacing(path, durable) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    with replacing(path) as file:
        file.write(content)


def write_record(path: Path, record: Record) -> None:
    """Write one record as a JSON file, all at once."""
    write_json(path, record.model_dump(mode="json"))


def read_record(path: Path, kind: type[R]) -> R | None:
    """Read one record from a JSON file; none where there is no such file.

    Raises:
        KairosError: The file was changed by hand and is not such a record any more.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise KairosError(f"{path}: not a valid {kind.__name__}: run again with FRESH=1") from error


class FileHashes:
    """SHA-256 of files, remembered by path, size and modification time.

    Hashing a film takes seconds; asking whether it is still the same one must not.
    """

    def __init__(self, runs: Path) -> None:
        self._memory = runs / "hashes.json"

    def sha256(self, path: Path) -> str:
        """Hash of a file's content."""
        stat = path.stat()
        name = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        known = self._load()
        if name not in known:
            with path.open("rb") as file:
                known[name] = hashlib.file_digest(file, "sha256").hexdigest()
            write_json(self._memory, {**self._load(), **known}, durable=False)
        return known[name]

    def of_folder(self, folder: Path) -> str:
        """Hash of the names and contents of all files beneath a folder but notes (`.md`)."""
        total = hashlib.sha256()
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md"):
            total.update(f"{path.relative_to(folder)}:{self.sha256(path)}\n".encode())
        return total.hexdigest()

    def _load(self) -> dict[str, str]:
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return known if isinstance(known, dict) else {}


def notebook_hash(path: Path) -> str:
    """Hash of a notebook's code: what it prints, its prose and its parameters' defaults aside.

    An edit to a cell of code makes a new run; running the notebook, or wording it better, does
    not. The parameters themselves are in the key by their values.
    """
    try:
        return cells_hash(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KairosError(f"{path} is not a notebook that can be read: restore it") from error


def cells_hash(notebook: dict[str, Any]) -> str:
    """The same of a notebook that has been read."""
    return hashlib.sha256("\n\n".join(code(notebook)).encode()).hexdigest()[:KEY_HEX_DIGITS]


def code(notebook: dict[str, Any]) -> list[str]:
    """Its cells of code, but for the parameters."""
    return [
        "".join(cell["source"]).strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        and "parameters" not in cell.get("metadata", {}).get("tags", [])
    ]


def utc_now() -> str:
    """The time as records keep it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
