"""A Redis of its own for tests, on a free port of loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

REDIS_SERVER = shutil.which("redis-server")
START_S = 20.0


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """The address of a Redis that ends with the block, and keeps its data in a folder."""
    assert REDIS_SERVER is not None
    port = port or free_port()
    command = [
        REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"redis://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + START_S
    with redis.Redis.from_url(address) as client:
        while True:
            try:
                client.ping()
                return
            except redis.RedisError:
                assert process.poll() is None, "redis-server ended"
                assert time.monotonic() < until_s, "redis-server does not answer"
                time.sleep(0.05)
