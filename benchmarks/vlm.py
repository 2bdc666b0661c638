"""The benchmarks of captioning: `make perf-vlm`, or `python -m benchmarks.vlm --help`."""

from __future__ import annotations

from benchmarks.base import say
from benchmarks.command import command
from benchmarks.table import Page
from kairos_lib.project import Project

NAMES = ("captions", "phi35", "busy")


def _run(name: str, rounds: int) -> Page:
    from benchmarks.clips import cache

    folder = cache(Project.find())
    made_by = f"make perf-vlm NAME={name} ROUNDS={rounds}"
    if name == "captions":
        from benchmarks import captions

        return captions.run(folder, rounds, made_by, say)
    if name == "busy":
        from benchmarks import busy

        return busy.run(folder, rounds, made_by, say)
    from benchmarks import phi35

    return phi35.run(folder, rounds, made_by, say)


main = command("captioning", NAMES, _run)

if __name__ == "__main__":
    main()
