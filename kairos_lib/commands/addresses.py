"""What commands do with a VIDEO that is an address: bring it here, and go on with its file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kairos_lib.errors import KairosError
from kairos_lib.options import parts
from kairos_lib.project import Project


def videos_here(project: Project, named: str, download: bool) -> str:
    """A user's VIDEO with the path of a file in place of each address.

    Args:
        project: Where fetched videos are kept.
        named: Names, paths and addresses, separated by commas.
        download: Whether what is not here may be fetched; a plan fetches nothing.

    Raises:
        KairosError: An address may not be fetched or could not be, or is not here.
    """
    if "://" not in named:
        return named
    videos = parts(named)
    return ",".join(_here(project, v, download) if "://" in v else v for v in videos)


def _here(project: Project, url: str, download: bool) -> str:
    from kairos_lib.ingest.addresses import shown
    from kairos_lib.ingest.at_hand import at_hand, bring
    from kairos_lib.parameters.ingest import IngestLimits

    limits = IngestLimits()
    path = at_hand(project, url, limits)
    if path is None and not download:
        raise KairosError(
            f"{shown(url)} is not here yet, and a plan downloads nothing: bring it here with "
            "`make fetch VIDEO=` and the address"
        )
    if path is None:
        click.echo(f"fetching {shown(url)}")
        path = bring(project, url, limits)
        click.echo(f"fetched: {project.relative(path)}")
    return os.path.relpath(path, Path.cwd())
