"""Times the package `SoccerNet` in an environment of its own: `soccernet_child.py FOLDER LABELS`.

Answers each line on its standard input, the name of a metric, with a line of JSON. Knows nothing of
Kairos; imports are done before the first.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from SoccerNet.Evaluation import ActionSpotting
from soccernet_oracle import ask, label_names


class Timed:
    """A function of the package, and how long it took when it was last called."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.time_s = 0.0

    def __call__(self, *given: Any, **more: Any) -> Any:
        """Call it."""
        started = time.perf_counter()
        try:
            return self._function(*given, **more)
        finally:
            self.time_s = time.perf_counter() - started


def main(folder: Path, labels: int) -> None:
    """Answer until there is nothing more to read."""
    measure = Timed(ActionSpotting.average_mAP)
    ActionSpotting.average_mAP = measure
    for line in sys.stdin:
        started = time.perf_counter()
        answer = ask(folder, label_names(labels), line.strip())
        total_s = time.perf_counter() - started
        told = {"answer": answer, "total_s": total_s, "measure_s": measure.time_s}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
