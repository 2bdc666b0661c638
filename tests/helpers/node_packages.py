"""Packages of npm for tests, installed once in a cache outside the checkout, in exact versions."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from filelock import FileLock

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kairos-tests" / "npm"
NODE = 20
INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")


def node_modules(packages: Mapping[str, str]) -> Path:
    """The `node_modules` with some packages; skips the test where it cannot be had.

    Args:
        packages: Versions by names.
    """
    if absent := [name for name in ("node", "npm") if not shutil.which(name)]:
        pytest.skip(f"{', '.join(absent)} not installed: apt-get install nodejs npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version[1:].split(".")[0]) < NODE:
        pytest.skip(f"node is {version}: Node.js {NODE} or newer is needed")
    wanted = json.dumps({"private": True, "dependencies": dict(packages)}, sort_keys=True)
    folder = CACHE / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            made = Path(tempfile.mkdtemp(dir=CACHE))
            (made / "package.json").write_text(wanted)
            try:
                answer = subprocess.run(
                    INSTALL, cwd=made, capture_output=True, text=True, timeout=300
                )
                if answer.returncode:
                    pytest.skip(f"npm cannot install {', '.join(packages)}: {answer.stderr[-300:]}")
                made.rename(folder)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    return folder / "node_modules"
