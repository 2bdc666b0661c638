"""What a user names to be compared: a suite here or in another checkout, all of it or one model."""

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
    """As the user named it."""
    suite: SuiteData
    model: str
    """The only model that counts; empty for all."""

    @property
    def runs(self) -> tuple[VlmRun, ...]:
        """The runs that count."""
        runs = self.suite.runs
        return tuple(run for run in runs if self.model in ("", run.planned.model))

    @property
    def models(self) -> list[str]:
        """Names of the models that count, in the order of the plan."""
        return list(dict.fromkeys(run.planned.model for run in self.runs))


def open_named_runs(project: Project, letter: str, given: str) -> NamedRuns:
    """Read what a user named.

    Args:
        project: The checkout that a bare name belongs to.
        letter: `A` or `B`, for the error line.
        given: `suite`, `suite:model`, `path/to/checkout:suite`, `path/to/runs:suite:model`,
            `path/to/runs/suites/suite.json` or `path/to/runs/suites/suite.json:model`. A path has a
            slash in it, is `.` or `..`, or ends with `.json`.

    Raises:
        KairosError: There is nothing of that name; the line says what there is.
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
    """What the colons divide; one that is part of a path that is there divides nothing."""
    pieces = given.strip().split(":")
    for count in range(len(pieces), 1, -1):
        head = ":".join(pieces[:count])
        if _is_path(head) and Path(head).expanduser().exists():
            return [head, *pieces[count:]]
    return pieces


def _is_path(text: str) -> bool:
    return "/" in text or text in (".", "..", "~") or text.endswith(".json")


def _runs(folder: Path) -> Path:
    """The folder of runs that a path means: itself, or that of a checkout."""
    for candidate in (folder, folder / "runs"):
        if (candidate / "suites").is_dir():
            return candidate
    raise KairosError(f"there are no runs in {folder}: a bench leaves them in runs/")


def _project_of(runs: Path) -> Project:
    """The project around a folder of runs, to which a suite's paths are relative."""
    runs = runs.resolve()
    if runs.name != "runs":
        raise KairosError("a suite's folders are told from the one above runs/: call it so")
    return Project(runs.parent)
