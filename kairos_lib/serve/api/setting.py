"""What the API is started with: the project, the service's parameters, its address and token."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.project import Project
from kairos_lib.serve import videos
from kairos_lib.serve.contract import OWN_PORT, RESULTS, redis_url

TOKEN = "KAIROS_TOKEN"
"""Environment variable: what clients must send as `Authorization: Bearer ...`."""
SHORTEST_TOKEN = 16
"""Characters. A shorter one could be guessed."""
MIB = 2**20
JSON_BYTES = MIB
"""Limit for a body of JSON."""
DATA_URL_MIB = 64
"""Limit for a video in a data URL, which is held in memory; larger ones are uploaded."""


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Setting:
    """All that the API is started with."""

    project: Project
    service: Service
    redis: str = f"redis://127.0.0.1:{OWN_PORT}"
    """The address of Redis."""
    token: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    """Further names by which clients may call this machine."""

    @classmethod
    def from_environment(
        cls, project: Project, service: Service, host: str, names: tuple[str, ...] = ()
    ) -> Setting:
        """Read the token and the address of Redis from the environment.

        Raises:
            KairosError: The address can be reached from elsewhere and no token is set, or one that
                could be guessed.
        """
        token = os.environ.get(TOKEN, "").strip()
        if not token and not is_loopback(host):
            raise KairosError(
                f"{host} can be reached from other machines: set {TOKEN} to a secret of at least "
                f"{SHORTEST_TOKEN} characters, or bind to 127.0.0.1"
            )
        if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or " " in token):
            raise KairosError(
                f"{TOKEN} must have at least {SHORTEST_TOKEN} ASCII characters and no spaces: "
                "`openssl rand -hex 32` makes one"
            )
        return cls(project, service, redis_url(), token, host, names)

    @property
    def results(self) -> Path:
        """The folder of result files."""
        return self.project.runs / RESULTS

    @property
    def uploads(self) -> Path:
        """The folder of uploaded videos."""
        return videos.uploads(self.project)

    @property
    def upload_bytes(self) -> int:
        """Limit for an uploaded video."""
        return self.service.upload_mib * MIB

    @property
    def data_url_bytes(self) -> int:
        """Limit for a video in a data URL."""
        return min(self.upload_bytes, DATA_URL_MIB * MIB)

    @property
    def analyzers(self) -> tuple[str, ...]:
        """The analyzers that a process of the service runs."""
        groups = self.service.groups.values()
        return tuple(name for group in groups for name in group.analyzers)
