"""A SLURM of one node with stand-in GPUs, for as long as a benchmark takes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "tests" / "helpers" / "slurm-single-node.sh"


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str] | None]:
    """The environment of whoever speaks to it; none where SLURM is not installed, or not as root.

    Args:
        folder: For its files.
    """
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    if os.getuid() or not all(shutil.which(name, path=path) for name in ("sbatch", "slurmd")):
        yield None
        return
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1] & ~1
    environment = {**os.environ, "PATH": path}
    script = ["bash", str(SCRIPT)]
    folder.mkdir(parents=True)
    start = [*script, "start", str(folder), "4", "4", str(port)]
    subprocess.run(start, check=True, env=environment, timeout=60, stdout=subprocess.DEVNULL)
    try:
        yield {**environment, "SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run(
            [*script, "stop", str(folder)], check=True, env=environment, stdout=subprocess.DEVNULL
        )
