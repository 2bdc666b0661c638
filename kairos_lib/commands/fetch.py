"""`kairos fetch`: the one command that downloads anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kairos_lib.commands.addresses import videos_here
from kairos_lib.errors import KairosError
from kairos_lib.options import model_id_option
from kairos_lib.project import Project

if TYPE_CHECKING:
    from kairos_lib.parameters.weights import Weights


@click.command()
@click.option("--model", envvar="KAIROS_MODEL", help="Model name.")
@model_id_option
@click.option("--base", envvar="KAIROS_BASE", help="Base profile; the model's own by default.")
@click.option("--video", envvar="KAIROS_VIDEO", help="Address of a video; several with commas.")
def fetch(model: str | None, model_id: str | None, base: str | None, video: str | None) -> None:
    """Download the weights of a model and of its base processing, or a video."""
    from kairos_lib.analyzers.analyzer import order
    from kairos_lib.analyzers.profile import Base
    from kairos_lib.bench.request import AUTO, by_id
    from kairos_lib.parameters import loading
    from kairos_lib.parameters.model import Model

    project = Project.find()
    if model_id and model not in (None, AUTO):
        raise KairosError(f"MODEL_ID goes with MODEL={AUTO}, not with MODEL={model}")
    if video:
        if "://" not in video:
            raise KairosError(f"VIDEO={video} is no address: https://… is brought here")
        for path in videos_here(project, video, download=True).split(","):
            click.echo(f"here: {path}")
    if not model and not model_id and not base:
        if video:
            return
        known = loading.names(project, Model)
        raise KairosError(f"MODEL is not given: name one of {', '.join(known)}")
    if model or model_id:
        changes = by_id(model_id) if model_id else None
        chosen = loading.load(project, Model, model or AUTO, changes)
        _bring(project, chosen.weights)
        base = base or chosen.base
    profile = loading.load(project, Base, str(base))
    failed: dict[str, KairosError] = {}
    for stage in order(profile.stages):
        if stage.uses_weights(profile):
            try:
                _bring(project, stage.weights(profile))
            except KairosError as error:  # Others come from other places.
                failed[stage.name] = error
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        for problem in failed.values():
            click.echo(f"kairos: {problem}", err=True)
        raise KairosError(
            f"{', '.join(failed)}: weights not fetched, so that runs skip them; all others are "
            "here, and the same command tries again"
        )
    click.echo("all weights that can be fetched are on this machine")


def _bring(project: Project, weights: Weights | None) -> None:
    """Fetch weights that are not on this machine, if they are of a kind that can be fetched."""
    from kairos_lib.weights import location

    if weights is None or weights.source in ("nano", "path", "dummy", "server"):
        return
    if location.find(project, weights).path is not None:
        click.echo(f"here already: {weights.id}")
        return
    click.echo(f"fetching {weights.id}")
    click.echo(f"fetched: {location.fetch(weights)}")
