"""`kairos fetch`: the one command that downloads anything."""

from __future__ import annotations

import click

from kairos_lib.commands.addresses import videos_here
from kairos_lib.errors import KairosError
from kairos_lib.options import model_id_option
from kairos_lib.project import Project


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
    from kairos_lib.parameters.weights import Weights
    from kairos_lib.weights import location

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
    wanted: list[Weights | None] = []
    if model or model_id:
        changes = by_id(model_id) if model_id else None
        chosen = loading.load(project, Model, model or AUTO, changes)
        wanted.append(chosen.weights)
        base = base or chosen.base
    profile = loading.load(project, Base, str(base))
    wanted += [s.weights(profile) for s in order(profile.stages) if s.uses_weights(profile)]
    for one in wanted:
        if one is None or one.source in ("nano", "path", "dummy", "server"):
            continue
        found = location.find(project, one)
        if found.path is not None:
            click.echo(f"here already: {one.id}")
            continue
        click.echo(f"fetching {one.id}")
        click.echo(f"fetched: {location.fetch(one)}")
    click.echo("all weights that come from a hub are on this machine")
