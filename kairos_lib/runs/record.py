"""Typed records of what is written to disk, one line or one file each.

Times are seconds from the first video frame's presentation time. Ranges are half-open.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

SCHEMA_VERSION = "schema_version"
"""The field that gives the version of a record; 1 if it is missing."""


class Record(BaseModel):
    """One line of a JSON Lines file, or one JSON file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: ClassVar[int] = 1
    """Raised, with a step in `migrated`, whenever the meaning or the place of a field changes. A
    field that is only added needs neither: it has a default."""
    _newer: bool = PrivateAttr(default=False)

    @property
    def newer(self) -> bool:
        """Whether a newer version of Kairos wrote it: fields unknown here were left out."""
        return self._newer

    @classmethod
    def migrated(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """Convert data of an older version to the present one.

        Args:
            data: Read from JSON.
            version: The version that wrote it.
        """
        return data

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read one from JSON, whichever version of Kairos wrote it.

        Raises:
            ValidationError: It is not a valid record.
        """
        if cls.schema_version == 1 and SCHEMA_VERSION.encode() not in content:
            return cls.model_validate_json(content)
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            return cls.model_validate_json(content)  # Raises with what is wrong with it.
        if not isinstance(data, dict):
            return cls.model_validate(data)
        version = data.pop(SCHEMA_VERSION, 1)
        if isinstance(version, int) and version < cls.schema_version:
            data = cls.migrated(data, version)
        found = cls.model_validate_json(json.dumps(data))
        found._newer = isinstance(version, int) and version > cls.schema_version
        return found

    def schema_field(self) -> dict[str, int]:
        """The field with its version, unless that is the first."""
        return {SCHEMA_VERSION: self.schema_version} if self.schema_version != 1 else {}

    def written(self) -> bytes:
        """As JSON on one line, with its version."""
        content = self.model_dump_json().encode()
        if not (said := self.schema_field()):
            return content
        return json.dumps(said, separators=(",", ":")).encode()[:-1] + b"," + content[1:]
