"""`kairos serve`: all parts by one command, started again when they end, and none left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from benchmarks import standins
from benchmarks.served import free_port

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]
LIMIT_S = 90.0


def heartbeats(keys: redis.Redis) -> list[dict[str, object]]:
    try:
        known = [json.loads(one) for one in keys.hgetall("kairos:workers").values()]
    except redis.RedisError:
        return []
    return [one for one in known if one["state"] == "ready" and time.time() - one["seen_s"] < 2]


@contextmanager
def serving(project: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], redis.Redis]]:
    """The service, with a Redis of its own."""
    port = free_port()
    environment = {
        **os.environ,
        "KAIROS_ROOT": str(project),
        "KAIROS_ANALYZERS": str(project / "analyzers"),
        "KAIROS_PORT": str(free_port()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(standins.CHECKOUT)])),
    }
    environment.pop("REDIS_URL", None)
    command = [sys.executable, "-m", "kairos_lib.cli", "serve", "--service", "waiting"]
    process = subprocess.Popen(
        [*command, "--redis-port", str(port), *options],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    keys = redis.Redis(port=port, decode_responses=True)
    try:
        yield process, keys
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        keys.close()


def wait_for_groups(keys: redis.Redis, *groups: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while sorted(one["group"] for one in heartbeats(keys)) != sorted(groups):
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return standins.make_project(tmp_path / "project", seconds=0.05).root


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_no_process_behind_however_it_ends(project: Path, end: signal.Signals) -> None:
    with serving(project) as (process, keys):
        wait_for_groups(keys, "look", "listen")
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 6  # Redis, the coordinator, and two of two processes each.
        process.send_signal(end)
        _, alive = psutil.wait_procs(below, timeout=30)
        assert not alive
        code = process.wait(30)
    assert code == (0 if end is signal.SIGTERM else -signal.SIGKILL)


def test_what_ends_is_started_again_and_jobs_survive_a_kill_of_redis(project: Path) -> None:
    video = standins.make_videos(standins.Project(project), 1)[0]
    with serving(project) as (process, keys):
        wait_for_groups(keys, "look", "listen")
        job = {"name": "analyze", "data": json.dumps({"videoPath": video}), "opts": "{}"}
        keys.hset("kept", mapping=job)
        time.sleep(1.5)  # Appended to its file every second.
        for child in psutil.Process(process.pid).children():
            child.kill()
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                assert keys.hgetall("kept") == job
                break
            except redis.RedisError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        wait_for_groups(keys, "look", "listen")


def test_a_part_of_the_groups_can_run_alone(project: Path) -> None:
    with serving(project, "--only", "listen") as (_, keys):
        wait_for_groups(keys, "listen")
        time.sleep(2)
        assert [one["group"] for one in heartbeats(keys)] == ["listen"]


def test_a_group_that_can_never_start_ends_the_service_with_its_reason(project: Path) -> None:
    path = project / "parameters" / "service" / "waiting.yaml"
    path.write_text(path.read_text().replace("listen:\n", "listen:\n    device: cuda:7\n"))
    with serving(project) as (process, _):
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "group listen: device: cuda:7 is not here" in said
    assert said.strip().splitlines()[-1] == "kairos: listen cannot be started: see above"
