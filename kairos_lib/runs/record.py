"""What is written to disk, one line or one file each, as typed records.

Times are seconds from the first video frame's presentation time. Ranges are half-open.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """One line of a JSON Lines file, or one JSON file."""

    model_config = ConfigDict(extra="ignore", frozen=True)
