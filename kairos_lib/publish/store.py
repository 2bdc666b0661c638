"""What publishing needs of a place for documents, whatever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kairos_lib.publish.documents import Edition

VIDEOS = "videos"
SCENES = "scenes"
PUBLISHING = "publishing"
"""Folder under `runs/` for locks and limits."""


class Store(ABC):
    """A place with the documents of videos, in two collections: `videos` and `scenes`.

    A video's own document is there only while all its scenes are: it is removed before they change
    and written after them.
    """

    @abstractmethod
    def digest(self, video_id: str) -> str:
        """The digest of a video's own document; empty if it has none.

        Raises:
            KairosError: The place cannot be reached.
        """

    @abstractmethod
    def write(self, edition: Edition) -> int:
        """Make a video's documents what they should be.

        Returns:
            The number of documents of scenes that were written or deleted.

        Raises:
            KairosError: It could not; what was written is kept, and a second call goes on.
        """
