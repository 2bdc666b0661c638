"""A Redis of the service's own, for those who have none running.

It appends each job to a file (AOF), so that a kill loses nothing that it has answered for, and it
refuses writes instead of dropping keys when its memory is full: other policies lose jobs silently.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.serve.contract import OWN_PORT, REDIS_URL

FOLDER = "redis"
"""Below `runs/service/`."""
PROGRAM = "redis-server"


def command(project: Project, port: int = OWN_PORT) -> list[str]:
    """How to start it.

    Raises:
        KairosError: The system has no redis-server, or something else has the port.
    """
    program = shutil.which(PROGRAM) or shutil.which("valkey-server")
    if program is None:
        raise KairosError(
            f"{PROGRAM} is not on this machine: install it (apt-get install redis-server), or name "
            f"a Redis that runs elsewhere by {REDIS_URL}=redis://host:6379"
        )
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind(("127.0.0.1", port))
        except OSError as error:
            raise KairosError(
                f"port {port} is taken: if that is the Redis to use, set "
                f"{REDIS_URL}=redis://127.0.0.1:{port}; otherwise stop what listens there"
            ) from error
    folder = project.runs / "service" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return [program, *_settings(folder, port)]


def _settings(folder: Path, port: int) -> list[str]:
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(folder / "redis.log"),
        # Its first write to a file that a kill has cut short must not keep it from starting.
        "aof-load-truncated": "yes",
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]
