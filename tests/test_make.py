"""The Makefile: what it is given is text, and a name that means nothing is told."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.projects import CHECKOUT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib import make_variables as names
from kairos_lib.cli import main

MAKEFILE = (CHECKOUT / "Makefile").read_text()
VARIABLES = re.search(r"^VARIABLES := ((?:.*\\\n)*.*)", MAKEFILE, re.M)[1].replace("\\", "").split()
TARGETS = re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M)
NASTY = (
    "$(shell touch x).mp4", "$(eval $(shell touch x))", "${shell touch x}", "`touch x`",
    "$(touch x)", "'; touch x; '", '"; touch x; "', "a\ntouch x", "$$(shell touch x)", "\\", "#",
    "$", "$(error x)", "$(", "a  b ", "%", "*", "~", "--help", "& touch x", "\t@touch x", "日",
)  # fmt: skip
FLAGS = " -- VIDEO=$$(shell\\ touch\\ x)"
"""As a make that runs another writes them: `$$` for `$`."""
SEEDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Makefile that finds itself installed, with programs that say what they are given."""
    root = tmp_path_factory.mktemp("make") / "checkout"
    programs = root / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(CHECKOUT / "Makefile", root)
    for name in ("requirements.txt", "pyproject.toml", ".venv/.installed"):
        (root / name).touch()
    says = (
        f"#!{sys.executable}\nimport json, os, sys\n"
        "with open('said.jsonl', 'a') as file:\n"
        "    print(json.dumps([sys.argv, dict(os.environ)]), file=file)\n"
    )
    for name in ("kairos", "python", "ruff", "lint-imports", "mypy"):
        (programs / name).write_text(says)
        (programs / name).chmod(0o755)
    return root


def make(
    checkout: Path, *words: str, environment: dict[str, str] | None = None
) -> list[tuple[list[str], dict[str, str]]]:
    """What the programs that make starts are given: words and environment."""
    said = checkout / "said.jsonl"
    said.unlink(missing_ok=True)
    own = {n: v for n, v in os.environ.items() if not n.startswith(("MAKE", "KAIROS", "MFLAGS"))}
    answer = subprocess.run(
        ["make", "--no-print-directory", *words], cwd=checkout, env={**own, **(environment or {})},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert not (checkout / "x").exists()
    return [tuple(json.loads(line)) for line in said.read_text().splitlines()]


# A word of make's own command line ends at a NUL; nothing else does.
texts = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@SEEDED
@given(given=st.dictionaries(st.sampled_from(VARIABLES), texts, min_size=1), shell=st.booleans())
@example(given=dict.fromkeys(VARIABLES, NASTY[0]), shell=False)
@example(given=dict.fromkeys(VARIABLES, "".join(NASTY)), shell=True)
def test_what_make_is_given_is_text_and_nothing_else(
    checkout: Path, given: dict[str, str], shell: bool
) -> None:
    """On its command line, and in its environment; with bash, which holds some names itself."""
    words = [f"{name}={value}" for name, value in given.items()]
    shells = ["SHELL=/bin/bash"] if shell and Path("/bin/bash").exists() else []
    for told, environment in ((words, {}), ([], given)):
        ((argv, seen),) = make(checkout, "bench", *told, *shells, environment=environment)
        assert argv[1:] == ["bench"]
        # make itself strips what stands before a value; an empty one is left to its default.
        wanted = {f"KAIROS_{n}": v.lstrip(" \t\n\r\f\v") if told else v for n, v in given.items()}
        got = {n: v for n, v in seen.items() if n.startswith("KAIROS_") and n[7:] in VARIABLES}
        assert got == {n: v for n, v in wanted.items() if v}
        assert not set(seen) & set(VARIABLES)
        listed = sorted([*given, "SHELL"] if shells else given) if told else shells and ["SHELL"]
        assert seen["KAIROS_GIVEN"].split() == listed


def test_names_of_our_own_cannot_be_given_past_it(checkout: Path) -> None:
    own = [
        f"KAIROS_{name}=$(shell touch x)" for name in ("GIVEN", "TARGETS", "VIDEO", "MODEL", "X")
    ]
    ((_, seen),) = make(checkout, "bench", "MODEL=nano", *own)
    assert {n: v for n, v in seen.items() if n.startswith("KAIROS_")} == {
        "KAIROS_MODEL": "nano",
        "KAIROS_TARGETS": "bench",
        "KAIROS_GIVEN": "KAIROS_GIVEN KAIROS_MODEL KAIROS_TARGETS KAIROS_VIDEO KAIROS_X MODEL",
    }


@pytest.mark.parametrize("target", [t for t in TARGETS if t not in ("lock", "help")])
def test_no_target_obeys_a_file_name(checkout: Path, target: str) -> None:
    words = [f"{name}=$(shell touch x)`touch x`'; touch x; '" for name in [*VARIABLES, "REPEAT"]]
    said = make(checkout, target, *words)
    assert all("touch" not in word for argv, _ in said for word in argv)
    # Whatever it runs, something has looked at the names first.
    assert Path(said[0][0][0]).name == "kairos"
    assert "REPEAT" in said[0][1]["KAIROS_GIVEN"].split()


def test_names_handed_over_by_a_make_above_are_text_too(checkout: Path) -> None:
    ((_, seen),) = make(
        checkout, "bench", environment={"MAKEFLAGS": " -- VIDEO=$$(shell\\ touch\\ x)"}
    )
    assert seen["KAIROS_VIDEO"] == "$(shell touch x)"


@SEEDED
@given(
    stem=st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)
)
@example(stem="$(touch x)`touch x`'; touch x; '")
@example(stem="$(shell touch x)")
@example(stem="-n")
def test_help_shows_the_names_of_files_and_obeys_none(checkout: Path, stem: str) -> None:
    folder = checkout / "parameters" / "models"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / f"{stem}.yaml").touch()
    answer = subprocess.run(["make", "help"], cwd=checkout, capture_output=True, timeout=60)
    assert answer.returncode == 0
    assert not (checkout / "x").exists()
    visible = "".join(c for c in stem if not (c < " " or c == "\x7f"))
    hidden = stem.startswith(".")
    assert (f"models:    {visible}\n" in answer.stdout.decode()) or hidden


def test_every_variable_of_the_makefile_belongs_to_a_target() -> None:
    taken = names.OF_MAKE.union(*(names.takes(main, target) for target in TARGETS))
    assert taken - {"PYTHON", "SHELL", "VENV"} == set(VARIABLES)
    assert set(names.OF_TARGETS) <= set(TARGETS)


@pytest.mark.parametrize(
    ("targets", "given_names", "expected"),
    [
        (
            "bench",
            "MODEL REPEAT VIDEO",
            "REPEAT is not a variable of bench: did you mean 'REPEATS'?",
        ),
        ("plan", "model", "model is not a variable of plan: did you mean 'MODEL'?"),
        ("bench", "FRAMES", "FRAMES is not a variable of bench"),
        ("bench", "FORMAT", "FORMAT means nothing to bench: leave it out"),
        ("demo", "MODEL", "MODEL means nothing to demo"),
        ("nano", "NAME", "NAME means nothing to nano"),
        ("lint", "ARGS", "ARGS means nothing to lint"),
        ("bench", "CUDA_VISIBLE_DEVICES", "environment variables go before make"),
        ("reproduce", "RUN VIDEO TRUST_NOTEBOOK DEBUG PYTHON SHELL VENV", ""),
        ("lab", "ARGS", ""),
        ("plan export", "SUITE FORMAT OUT", ""),
    ],
)
def test_a_mistyped_variable_is_answered_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, targets: str, given_names: str, expected: str
) -> None:
    monkeypatch.setenv(names.NAMES, given_names)
    monkeypatch.setenv(names.TARGETS, targets)
    answer = CliRunner().invoke(main, ["given"])
    assert (answer.exit_code, expected in answer.stderr) == (2 if expected else 0, True)
    assert len(answer.stderr.splitlines()) == bool(expected)


@pytest.mark.parametrize("name", ["FRESH", "DRY_RUN", "DEBUG"])
@pytest.mark.parametrize(
    ("value", "meant"),
    [("1", True), ("YES", True), ("true", True), ("on", True), ("0", False), ("no", False),
     ("False", False), ("off", False), ("", False), ("banana", None), ("2", None)],
)  # fmt: skip
def test_a_flag_says_yes_or_no_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, meant: bool | None
) -> None:
    seen = {}
    command = main.commands["bench"]
    monkeypatch.setattr(command, "callback", lambda **options: seen.update(options))
    monkeypatch.setenv(f"KAIROS_{name}", value)
    answer = CliRunner().invoke(main, ["bench"])
    if meant is None:
        assert answer.exit_code == 2
        assert answer.stderr == (
            f"kairos: {name} must be 1 or 0 (or yes, no, on, off), not {value!r}\n"
        )
    else:
        assert answer.exit_code == 0
        assert seen.get(name.lower(), meant) is meant


@pytest.mark.parametrize(
    ("words", "expected"),
    [("--port 8890 --title 'a b'", ["--port", "8890", "--title", "a b"]), ("$(x)", ["$(x)"])],
)
def test_arguments_of_jupyterlab_are_words_of_a_shell(
    monkeypatch: pytest.MonkeyPatch, project: object, words: str, expected: list[str]
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, argv: started.append(argv))
    monkeypatch.setenv("KAIROS_ARGS", words)
    assert CliRunner().invoke(main, ["lab"]).exit_code == 0
    assert started[0][-len(expected) :] == expected
    monkeypatch.setenv("KAIROS_ARGS", "'")
    assert "no closing quotation" in CliRunner().invoke(main, ["lab"]).stderr
