"""A model that says which frames are dark or bright, as a model answers about windows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from kairos_lib.vlm.adapter import Adapter, Generated, OutOfMemoryError, Prepared, Request

TASK = {
    "title": "Dark frames",
    "labels": {"Dark": ["night"], "Bright": []},
    "instruction": "Is it one of {labels}?",
    "windows": {"frames_per_second": 2, "frames": 4, "step_s": 1, "longest_px": 48},
    "merge_radius_s": 1.5,
    "batch_size": 3,
}


class LightMeter(Adapter):
    """Says what is dark or bright, how sure it is, and which windows it was asked about at once."""

    version = 1

    def __init__(
        self,
        stops_after: int = 10**6,
        room_px: int = 10**6,
        dark: float = 40,
        bright: float = 150,
        late_s: float = 0.0,
    ) -> None:
        self.stops_after = stops_after
        self.room_px = room_px
        self.dark = dark
        self.bright = bright
        self.late_s = late_s
        self.asked: list[list[int]] = []

    def load(self) -> None:
        raise AssertionError("it is given, and not loaded")

    def prepare(self, requests: list[Request]) -> Prepared:
        return Prepared(requests, (10,) * len(requests), (4,) * len(requests))

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        requests: list[Request] = prepared.inputs
        if max_new_tokens is None:
            if any(r.number == 4 and r.frame_size_px[0] > self.room_px for r in requests):
                raise OutOfMemoryError("no room")
            if sum(map(len, self.asked)) >= self.stops_after:
                raise KeyboardInterrupt
            self.asked.append([r.number for r in requests])
        texts = tuple(map(self._says, requests))
        tokens = tuple(tuple(text.encode()) for text in texts)
        sure = tuple(
            # Of each second token it is less sure.
            tuple(
                math.log((0.5 + (r.number % 5) / 10) / (1 + place % 2)) for place in range(len(row))
            )
            for r, row in zip(requests, tokens, strict=True)
        )
        none = (False,) * len(texts)
        return Generated(
            texts, tuple(map(len, tokens)), none, 0.001, 0.002,
            tokens=tokens, log_probabilities=sure,
        )  # fmt: skip

    def tokens_of(self, tokens: Sequence[int], characters: tuple[int, int]) -> range:
        return range(*characters)

    @staticmethod
    def _sure(window: int, place: int) -> float:
        """Log-probability of a token; of each second one it is half as sure."""
        return math.log((0.5 + (window % 5) / 10) / (1 + place % 2))

    def _says(self, request: Request) -> str:
        light = [float(image.mean()) for image in request.images]
        if min(light) < self.dark:
            at = request.frame_times_s[light.index(min(light))] - request.frame_times_s[0]
            at += self.late_s
            return json.dumps({"label": "Night", "time": at, "details": "it's dark <b>"})
        return (
            '{"label": "no event"}'
            if max(light) < self.bright
            else "{'label': 'bright', 'team': ''}"
        )
