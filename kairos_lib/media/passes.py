"""One pass over a video: decoded once, delivered to all viewers, each at its own pace.

Knows nothing of stages. Decoding runs in the thread that calls `run`; every viewer reads its feed
in a thread of its own, so that scaling and analysis overlap with decoding.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kairos_lib.media.facts import Joint
from kairos_lib.media.video import Frame, VideoFile

# Waking another thread costs more than using a small frame: frames are passed in bundles.
BUNDLE_FRAMES = 8
BUNDLE_BYTES = 32 << 20
"""Limit for decoded pixels, so that 8K film does not fill the memory."""
BUNDLES_AHEAD = 2
"""How far decoding runs ahead of the slowest viewer: memory stays bounded."""


class FrameFeed:
    """One viewer's frames, in presentation order; iterate over it once.

    Args:
        frames_per_second: How many frames the viewer needs; infinity means all of them.
    """

    def __init__(self, frames_per_second: float) -> None:
        self.waited_s = 0.0
        """Time that the viewer has spent waiting for frames."""
        self._rate = frames_per_second
        self._due_s = 0.0
        self._bundle: list[Frame] = []
        self._bundle_bytes = 0
        self._queue: queue.Queue[list[Frame] | BaseException | None] = queue.Queue(BUNDLES_AHEAD)
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            started = time.perf_counter()
            bundle = self._queue.get()
            self.waited_s += time.perf_counter() - started
            if bundle is None:
                return
            if isinstance(bundle, BaseException):
                raise bundle
            yield from bundle

    @property
    def closed(self) -> bool:
        """Whether the viewer has stopped."""
        return self._closed.is_set()

    def close(self) -> None:
        """Stop viewing. The pass continues for the others."""
        self._closed.set()
        # The decoder may be waiting for room in the queue, for one bundle at most: it checks
        # `closed` before the next.
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def offer(self, frame: Frame) -> None:
        """Deliver a frame if the viewer needs it; waits while the viewer is far behind."""
        if not math.isinf(self._rate):
            if frame.time_s < self._due_s:
                return
            self._due_s = (math.floor(frame.time_s * self._rate) + 1) / self._rate
        self._bundle.append(frame)
        self._bundle_bytes += frame.size_bytes
        if (
            len(self._bundle) == BUNDLE_FRAMES
            or self._bundle_bytes >= BUNDLE_BYTES
            # Frames far apart are worth waking for.
            or not math.isinf(self._rate)
        ):
            self._flush()

    def end(self, error: BaseException | None = None) -> None:
        """No more frames will come; with the reason if there is one."""
        self._flush()
        self._put(error)

    def _flush(self) -> None:
        if self._bundle:
            self._put(self._bundle)
        self._bundle, self._bundle_bytes = [], 0

    def _put(self, bundle: list[Frame] | BaseException | None) -> None:
        if not self.closed:
            self._queue.put(bundle)


class FramePass:
    """A video decoded from its first frame to its last, once, for any number of viewers.

    Args:
        video: The file.
        joints: From a probe of it.
    """

    def __init__(self, video: Path, joints: Sequence[Joint]) -> None:
        self.video = VideoFile(video, joints)
        self._feeds: list[FrameFeed] = []
        self.reached_s = 0.0
        """Presentation time of the newest frame decoded."""

    def feed(self, frames_per_second: float) -> FrameFeed:
        """Add a viewer; all must be added before the pass is run."""
        feed = FrameFeed(frames_per_second)
        self._feeds.append(feed)
        return feed

    def close(self) -> None:
        """End early: no viewer gets anything more."""
        for feed in self._feeds:
            feed.close()

    def run(self) -> None:
        """Decode; an error is raised to every viewer as it is."""
        error: BaseException | None = None
        try:
            for frame in self.video.frames():
                for feed in self._feeds:
                    feed.offer(frame)
                self.reached_s = frame.time_s
                if all(feed.closed for feed in self._feeds):
                    return
        except BaseException as raised:
            error = raised
        for feed in self._feeds:
            feed.end(error)
