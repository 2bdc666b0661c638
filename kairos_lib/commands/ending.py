"""How a command ends that failed: with one line, and an exit code other than 0."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from kairos_lib.names import showable


def stop(message: str, code: int) -> NoReturn:
    """Print in one line what is wrong, whatever characters are in it, and exit."""
    line = "".join(c if showable(c) else "\ufffd" for c in " ".join(message.split()))
    click.echo(f"kairos: {line}", err=True)
    sys.exit(code)
