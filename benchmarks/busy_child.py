"""What the benchmark of a busy machine times: `python -m benchmarks.busy_child MODEL VIDEO SCENES`.

A process of its own, for how threads wait is read once, when torch is loaded.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Query
from kairos_lib.weights.location import find

LENGTH_S = 40.0
"""Of the clip."""


def main(name: str, video: Path, count: int) -> None:
    """Load a model, warm it up, caption the scenes one at a time, and say how long that took."""
    project = Project.find()
    model = load(project, Model, name)
    weights = find(project, model.weights).path
    assert weights is not None
    adapter = find_family(model.family)(model, weights)
    adapter.load()
    each_s = LENGTH_S / count
    instruction = model.prompt.instruction
    queries = [Query.of(model, n, n * each_s, (n + 1) * each_s, instruction) for n in range(count)]
    engine = Engine(adapter, video, model.frames.longest_px)
    engine.warm_up(queries)
    started = time.perf_counter()
    captions = [answer.text for answer in engine.single_stream(queries)]
    time_s = time.perf_counter() - started
    sys.stdout.write(json.dumps({"captions": captions, "time_s": time_s}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
