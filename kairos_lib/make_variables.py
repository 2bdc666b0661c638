"""The names of the variables given to make: a mistyped one is an error, none is ignored.

The Makefile passes the names on its command line and the targets. Variables of `kairos` commands
are known from their options; those of other targets are listed here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import click

from kairos_lib.errors import KairosError, closest
from kairos_lib.options import PREFIX

NAMES = "KAIROS_GIVEN"
"""Environment variable: the names on make's command line."""
TARGETS = "KAIROS_TARGETS"
"""Environment variable: the targets given to make."""
OF_MAKE = frozenset({"DEBUG", "PYTHON", "SHELL", "VENV"})
"""Variables that every target accepts."""
_OF_BENCHMARKS = frozenset({"NAME", "ROUNDS"})
OF_TARGETS: Mapping[str, frozenset[str]] = {
    "demo": frozenset({"BASE", "REPEATS", "FRESH", "DRY_RUN", "SLOTS", "WEIGHTS"}),
    "nano": frozenset({"NAMES"}),
    "perf-base": _OF_BENCHMARKS | {"VIDEO", "SCALE", "LIMITED"},
    "perf-vlm": _OF_BENCHMARKS,
    "perf-events": _OF_BENCHMARKS,
    "perf-repeats": _OF_BENCHMARKS,
    "perf-serve": _OF_BENCHMARKS,
    "chaos-serve": frozenset(),
}


def check(commands: click.Group) -> None:
    """Check that each variable given to make is used by one of its targets.

    Raises:
        KairosError: One is not; the message names the likely one, or what the target takes.
    """
    # Checked once: a process started from here, such as a JupyterLab terminal, was given none.
    names = os.environ.pop(NAMES, "").split()
    targets = os.environ.pop(TARGETS, "").split()
    if not names:
        return
    of_all = {name: takes(commands, name) for name in {*commands.commands, *OF_TARGETS}}
    wanted = OF_MAKE.union(*(of_all.get(target, ()) for target in targets))
    known = OF_MAKE.union(*of_all.values())
    for name in names:
        if name in wanted:
            continue
        here = " ".join(targets) or "make"
        if name in known:
            means = sorted(target for target, taken in of_all.items() if name in taken)
            raise KairosError(
                f"{name} means nothing to {here}: leave it out "
                f"({here} takes {_listed(wanted - OF_MAKE)}; {name} belongs to {', '.join(means)})"
            )
        raise KairosError(
            f"{name} is not a variable of {here}: "
            f"{closest(name.upper(), wanted, list_known=True)}; "
            "environment variables go before make"
        )


def takes(commands: click.Group, target: str) -> frozenset[str]:
    """The variables that a target takes."""
    command = commands.commands.get(target)
    options = command.params if command and target not in OF_TARGETS else ()
    variables = (option.envvar for option in options)
    own = {str(variable).removeprefix(PREFIX) for variable in variables if variable}
    return OF_TARGETS.get(target, frozenset()) | own


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
