"""The interface of whatever runs notebooks, and the errors of one that failed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Protocol

from kairos_lib.launch.job import Job
from kairos_lib.runs.key_difference import read_mapping
from kairos_lib.runs.run import EXECUTED, Run
from kairos_lib.runs.status import Progress, Status

ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""Terminal colour codes."""
Watcher = Callable[[Progress], None]


class Launcher(Protocol):
    """Runs notebooks, each in a process of its own."""

    def launch(self, job: Job, watch: Watcher, stopped: threading.Event | None = None) -> Status:
        """Run a notebook and wait for it.

        Args:
            job: What to run.
            watch: Called with the notebook's progress, a few times a second.
            stopped: Set to end it at once.

        Returns:
            How it ended, as recorded in `status.json` in the run's folder.

        Raises:
            KairosError: Another process is running the same job or, if it is to start from scratch,
                is using its results.
            KeyboardInterrupt: The user stopped it; its status says so.
        """


class CauseError(Exception):
    """What went wrong in a kernel: its own traceback as text."""


def cause_of(run: Run) -> str:
    """The tracebacks that a run's notebook ended with or printed; empty if there are none."""
    cells = read_mapping(run.file(EXECUTED)).get("cells", [])
    parts = []
    for output in (one for cell in cells for one in cell.get("outputs", [])):
        if output["output_type"] == "error":
            parts.append("\n".join(output["traceback"]))
        elif output["output_type"] == "stream" and "Traceback" in "".join(output["text"]):
            parts.append("".join(output["text"]))
    return ANSI.sub("", "\n".join(parts))
