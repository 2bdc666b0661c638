"""What the process that fetches videos may not do: an audit hook that refuses it.

Python reports each connection, look-up, process and file that is opened before it happens
(`sys.addaudithook`), and a hook that raises prevents it. A connection is reported with the numeric
address that it really goes to, after names were looked up and redirects followed, so that neither a
redirect nor a name that changes its meaning gets around it. A hook cannot be removed again.

It holds what Python code does. Libraries that open connections in C are not seen: none is loaded
(`curl_cffi` is locked out), and libavformat is told to read the one file only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from kairos_lib.ingest.addresses import address_refusal, host_refusal

_PROCESSES = (
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
    "os.spawn", "pty.spawn",
)  # fmt: skip
_CHANGES = (
    "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.truncate",
    "os.chmod", "os.utime",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(PermissionError):
    """Something that the guard does not allow."""


class Guard:
    """Rules for this process, from `install` to its end.

    Args:
        folder: All that may be written to.
        hosts: Hosts that may be looked up; empty for any.
        reachable: See `fetching.fetched`.
    """

    def __init__(self, folder: Path, hosts: Collection[str], reachable: Collection[str]) -> None:
        self.refused = ""
        """Why the first connection or look-up was refused; libraries may have hidden the error."""
        self._folder = os.path.realpath(folder)
        self._hosts = hosts
        self._reachable = reachable
        self._rules: dict[str, Callable[..., None]] = {
            "open": self._open,
            "socket.connect": self._connect,
            "socket.sendto": self._connect,
            "socket.sendmsg": self._connect,
            "socket.getaddrinfo": self._look_up,
            "socket.gethostbyname": self._look_up,
            **dict.fromkeys(_PROCESSES, self._start),
            **dict.fromkeys(_CHANGES, self._change),
        }

    def install(self) -> None:
        """Hold this process to the rules from now on."""
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        rule = self._rules.get(event)
        if rule is not None:
            rule(*arguments)

    def _refuse(self, why: str) -> None:
        if why:
            self.refused = self.refused or why
            raise RefusedError(why)

    def _connect(self, _: object, address: object) -> None:
        if address is None:  # `sendmsg` on a socket that is connected.
            return
        match address:
            case (str(host), int(port), *_):
                self._refuse(address_refusal(host, port, self._reachable))
            case _:  # A Unix socket, or a host as bytes.
                self._refuse(address_refusal("", 0))

    def _look_up(self, host: object, *_: object) -> None:
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        self._refuse(host_refusal(host if isinstance(host, str) else "", self._hosts))

    def _start(self, *_: object) -> None:
        # Not remembered: yt-dlp looks whether there is an ffmpeg and goes on without.
        raise RefusedError("no process may be started")

    def _open(self, path: object, _: object, flags: object) -> None:
        if isinstance(flags, int) and flags & _WRITES:
            self._change(path)

    def _change(self, *paths: object) -> None:
        for path in paths:
            if not isinstance(path, str | bytes | os.PathLike):
                continue  # A file descriptor, which was opened under these rules, or a mode.
            place = os.path.realpath(os.fsdecode(path))
            inside = place == self._folder or place.startswith(self._folder + os.sep)
            if not inside and place != os.devnull:
                raise RefusedError(f"{place} may not be written")
