"""What the benchmark of a busy machine times: `python -m benchmarks.busy_child MODEL VIDEO SCENES`.

A process of its own, for how threads wait is read once, when torch is loaded.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from kairos_lib.parameters import load
from kairos_lib.project import Project
from kairos_lib.records import Scene
from kairos_lib.settings import Model
from kairos_lib.vlm.adapter import find_family
from kairos_lib.vlm.engine import Engine
from kairos_lib.weights import find

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
    scenes = [Scene(index=n, start_s=n * each_s, end_s=(n + 1) * each_s) for n in range(count)]
    instruction = model.prompt.instruction
    engine = Engine(adapter, model, video, lambda scene: instruction, "benchmark")
    engine.warm_up(scenes)
    started = time.perf_counter()
    captions = [caption.text for caption in engine.single_stream(scenes)]
    time_s = time.perf_counter() - started
    sys.stdout.write(json.dumps({"captions": captions, "time_s": time_s}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
