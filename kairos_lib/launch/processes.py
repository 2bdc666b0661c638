"""Finds and ends all processes that a notebook started, wherever they ended up.

A kernel creates a session of its own, and what it starts may do the same or outlive its parent, so
neither process groups nor parentage find all processes. But every descendant has the environment
that it was started with: a mark in it finds them all.
"""

from __future__ import annotations

import os
import time

import psutil

TOKEN = "KAIROS_RUN_TOKEN"
"""Environment variable whose value marks the processes of one notebook."""
PATIENCE_S = 10.0


def marked(token: str) -> list[psutil.Process]:
    """The live processes that carry a mark, except the caller."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(TOKEN) == token:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # It has ended, or it belongs to another user: not ours either way.
    return found


def kill_marked(token: str) -> None:
    """Kill all processes that carry a mark, except the caller, until none is left."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        alive = [p for p in marked(token) if p.status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return
        for process in alive:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(alive, timeout=1)
