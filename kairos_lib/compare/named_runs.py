"""Runs named by a user for comparison: a suite here or in another checkout, or one model of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError, closest
from kairos_lib.project import Project
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData, read

HOW = "name a suite, a folder of runs with ':' and a suite, or a suite's JSON file"


@dataclass(frozen=True)
class NamedRuns:
    """A or B: a suite's runs, all of them or one model's."""

    given: str
    """As given by the user."""
    suite: SuiteData
    model: str
    """The only model to compare; empty for all."""

    @property
    def runs(self) -> tuple[VlmRun, ...]:
        """The runs to compare."""
        runs = self.suite.runs
        return tuple(run for run in runs if self.model in ("", run.planned.model))

    @property
    def models(self) -> list[str]:
        """Names of the models to compare, in the order of the plan."""
        return list(dict.fromkeys(run.planned.model for run in self.runs))


def open_named_runs(project: Project, letter: str, given: str) -> NamedRuns:
    """Read the runs that a user named.

    Args:
        project: The checkout that a bare name belongs to.
        letter: `A` or `B`, for error messages.
        given: `suite`, `suite:model`, `path/to/checkout:suite`, `path/to/runs:suite:model`,
            `path/to/runs/suites/suite.json` or `path/to/runs/suites/suite.json:model`. A path
            contains a slash, is `.` or `..`, or ends with `.json`.

    Raises:
        KairosError: There is nothing of that name; the message says what there is.
    """
    if not given.strip():
        raise KairosError(f"{letter} is not given: {HOW}")
    where, *names = _parts(given)
    try:
        if not _is_path(where):
            found = read(project, where)
            named = names
        elif where.endswith(".json"):
            found = read(_project_of(Path(where).expanduser().parent.parent), Path(where).stem)
            named = names
        else:
            there = _runs(Path(where).expanduser())
            if not names:
                suites = ", ".join(sorted(path.stem for path in (there / "suites").glob("*.json")))
                raise KairosError(f"which suite? add ':' and one of {suites or 'none'}")
            found = read(_project_of(there), names[0])
            named = names[1:]
    except KairosError as error:
        raise KairosError(f"{letter}={given}: {error}") from error
    if len(named) > 1:
        raise KairosError(f"{letter}={given}: one model at most can be named: {HOW}")
    side = NamedRuns(given, found, named[0] if named else "")
    if not side.runs:
        known = [run.planned.model for run in found.runs]
        raise KairosError(
            f"{letter}={given}: no model '{side.model}' in it: "
            f"{closest(side.model, set(known), list_known=True)}"
        )
    return side


def _parts(given: str) -> list[str]:
    """The parts between colons; a colon that is part of an existing path separates nothing."""
    pieces = given.strip().split(":")
    for count in range(len(pieces), 1, -1):
        head = ":".join(pieces[:count])
        if _is_path(head) and Path(head).expanduser().exists():
            return [head, *pieces[count:]]
    return pieces


def _is_path(text: str) -> bool:
    return "/" in text or text in (".", "..", "~") or text.endswith(".json")


def _runs(folder: Path) -> Path:
    """The folder of runs that a path refers to: itself, or that of a checkout."""
    for candidate in (folder, folder / "runs"):
        if (candidate / "suites").is_dir():
            return candidate
    raise KairosError(f"there are no runs in {folder}: a bench leaves them in runs/")


def _project_of(runs: Path) -> Project:
    """The project around a folder of runs; a suite's paths are relative to it."""
    runs = runs.resolve()
    if runs.name != "runs":
        raise KairosError("a folder of runs must be called runs/: rename it")
    return Project(runs.parent)
