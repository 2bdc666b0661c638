"""The systemd units and the containers of the examples name what there is."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from helpers.redis_server import free_port

from kairos_lib.cli import main
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.service import Service
from kairos_lib.project import Project
from kairos_lib.serve import own_redis

CHECKOUT = Path(__file__).parents[2]
UNITS = sorted((CHECKOUT / "examples" / "systemd").glob("*.service"))
COMPOSE = CHECKOUT / "examples" / "compose" / "compose.yaml"


def options_of(words: list[str]) -> dict[str, Any]:
    """What a command makes of its words; it is not run."""
    program, name, *rest = words
    assert Path(program).name == "kairos"
    command = main.get_command(click.Context(main), name)
    assert command is not None, name
    return command.make_context(name, rest).params


def start_of(unit: Path) -> list[str]:
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(unit)
    return shlex.split(read["Service"]["ExecStart"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_there_is(unit: Path) -> None:
    assert options_of(start_of(unit))["service"] == "default"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    if (verify := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd on this machine")
    program = start_of(unit)[0]
    own = tmp_path / unit.name
    # It wants a program that is there.
    own.write_text(unit.read_text().replace(program, "/bin/true"))
    found = subprocess.run([verify, "verify", str(own)], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_containers_run_all_parts_of_a_service(tmp_path: Path) -> None:
    if shutil.which(own_redis.PROGRAM) is None:
        pytest.skip("no redis-server on this machine")
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    commands = {name: shlex.split(one["command"]) for name, one in services.items()}
    redis = commands.pop("redis")
    run = {name: (words[1], options_of(words)) for name, words in commands.items()}
    assert run["api"][0] == "api" and run["coordinator"][0] == "coordinator"
    groups = {options["group"] for command, options in run.values() if command == "worker"}
    assert groups == set(load(Project(CHECKOUT), Service, "nano").groups)
    # As the service's own Redis, or jobs would be lost.
    own = dict(zip(*[iter(own_redis.command(Project(tmp_path), free_port())[1:])] * 2, strict=True))
    for name in ("--appendonly", "--appendfsync", "--maxmemory-policy"):
        assert redis[redis.index(name) + 1] == own[name]


def test_the_api_of_the_containers_is_reached_with_a_token_only_and_from_this_machine_alone() -> (
    None
):
    api = yaml.safe_load(COMPOSE.read_text())["services"]["api"]
    assert api["environment"]["KAIROS_TOKEN"].startswith("${KAIROS_TOKEN:?")
    assert api["ports"] == ["127.0.0.1:8003:8003"]
