"""`kairos api`: the service's REST API and its page."""

from __future__ import annotations

import click

from kairos_lib.options import PREFIX
from kairos_lib.project import Project

DRAIN_S = 2
"""How long open connections, such as those that listen to events, may last at the end."""


@click.command()
@click.option("--host", envvar=f"{PREFIX}HOST", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    envvar=f"{PREFIX}PORT",
    type=click.IntRange(1, 65_535),
    default=8003,
    show_default=True,
)
@click.option(
    "--service",
    envvar=f"{PREFIX}SERVICE",
    default="default",
    show_default=True,
    help="A file of parameters/service.",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    help="A further name by which clients may call this machine, such as a proxy's.",
)
def api(host: str, port: int, service: str, names: tuple[str, ...]) -> None:
    """Answer HTTP requests: jobs, progress, results, metrics, and a page at /.

    REDIS_URL names the Redis of the service. Where other machines can reach HOST, KAIROS_TOKEN must
    be set, and clients send it.
    """
    from kairos_lib.errors import KairosError
    from kairos_lib.parameters.loading import load
    from kairos_lib.parameters.service import Service
    from kairos_lib.serve.api.setting import Setting

    project = Project.find()
    setting = Setting.from_environment(project, load(project, Service, service), host, names)
    try:
        import uvicorn

        from kairos_lib.serve.api.app import make_app
    except ImportError as error:
        raise KairosError(
            f"{error.name} is missing: `pip install -e '.[service]'` installs what a service needs"
        ) from error
    click.echo(f"page and API: http://{host}:{port}/", err=True)
    uvicorn.run(
        make_app(setting),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        limit_concurrency=500,
    )
