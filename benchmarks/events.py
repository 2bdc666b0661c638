"""The benchmarks of event spotting: `make perf-events`, or `python -m benchmarks.events --help`."""

from __future__ import annotations

from benchmarks.base import say
from benchmarks.command import command
from benchmarks.table import Page

NAMES = ("scoring", "slices")


def _run(name: str, rounds: int) -> Page:
    from benchmarks import scoring, slices

    if name == "slices":
        return slices.run(f"make perf-events NAME={name}", say)
    return scoring.run(rounds, f"make perf-events NAME={name} ROUNDS={rounds}", say)


main = command("event spotting", NAMES, _run)

if __name__ == "__main__":
    main()
