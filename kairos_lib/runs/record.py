"""What is written to disk, one line or one file each, as typed records.

Times are seconds from the first video frame's presentation time. Ranges are half-open.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

SCHEMA_VERSION = "schema_version"
"""The field by which a line or a file says which version of its record it is; 1 where it does
not."""


class Record(BaseModel):
    """One line of a JSON Lines file, or one JSON file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: ClassVar[int] = 1
    """Raised, with a step in `migrated`, whenever what stands in a field changes its meaning or its
    place. A field that is only added needs neither: it has a default."""
    _newer: bool = PrivateAttr(default=False)

    @property
    def newer(self) -> bool:
        """Whether a newer version of Kairos wrote it: what is not known here was left out."""
        return self._newer

    @classmethod
    def migrated(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """What an older version wrote, as this one would have.

        Args:
            data: Read from JSON.
            version: Which wrote it.
        """
        return data

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read one from JSON, whichever version of Kairos wrote it.

        Raises:
            ValidationError: It is no such record.
        """
        if cls.schema_version == 1 and SCHEMA_VERSION.encode() not in content:
            return cls.model_validate_json(content)
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            return cls.model_validate_json(content)  # Says what is wrong with it.
        if not isinstance(data, dict):
            return cls.model_validate(data)
        version = data.pop(SCHEMA_VERSION, 1)
        if isinstance(version, int) and version < cls.schema_version:
            data = cls.migrated(data, version)
        found = cls.model_validate_json(json.dumps(data))
        found._newer = isinstance(version, int) and version > cls.schema_version
        return found

    def schema_field(self) -> dict[str, int]:
        """What says its version, where that is not the first."""
        return {SCHEMA_VERSION: self.schema_version} if self.schema_version != 1 else {}

    def written(self) -> bytes:
        """As JSON on one line, with its version."""
        content = self.model_dump_json().encode()
        if not (said := self.schema_field()):
            return content
        return json.dumps(said, separators=(",", ":")).encode()[:-1] + b"," + content[1:]
