"""`kairos serve`, and the processes it is made of: `kairos worker` and `kairos coordinator`."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kairos_lib.errors import KairosError, closest
from kairos_lib.options import parts
from kairos_lib.project import Project

if TYPE_CHECKING:
    from kairos_lib.parameters.service import Service

service_option = click.option(
    "--service", envvar="KAIROS_SERVICE", help="A file of parameters/service; default by default."
)


def _opened(name: str | None) -> tuple[Project, Service]:
    from kairos_lib.parameters.loading import load
    from kairos_lib.parameters.service import Service

    for package in ("bullmq", "pebble", "redis"):
        if importlib.util.find_spec(package) is None:
            raise KairosError(
                f"{package} is missing: `pip install -e '.[service]'` installs what a service needs"
            )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    project = Project.find()
    return project, load(project, Service, name or "default")


def _checked(service: Service, group: str) -> str:
    if group not in service.groups:
        raise KairosError(
            f"unknown group '{group}': {closest(group, service.groups, list_known=True)}"
        )
    return group


def _run(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run the loop of a process of the service, and end with it.

    A job that has begun can go on in it when it is told to end, and nothing can stop that.
    """
    import asyncio

    from kairos_lib.serve.queues import QueueEndedError

    code = 0
    try:
        asyncio.new_event_loop().run_until_complete(work)
    except QueueEndedError as error:
        click.echo(f"kairos: {error}", err=True)
        code = 1  # Not the code of what a user must change.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@click.command()
@service_option
@click.option("--only", envvar="KAIROS_ONLY", help="Groups to run here, with commas between.")
@click.option(
    "--redis-port",
    type=click.IntRange(1, 65_535),
    help="Where a Redis is started, unless REDIS_URL names one; 6390 by default.",
)
def serve(service: str | None, only: str | None, redis_port: int | None) -> None:
    """Run the analysis service on this machine until Ctrl-C."""
    project, opened = _opened(service)
    import asyncio

    groups = tuple(_checked(opened, group) for group in parts(only or ""))

    from kairos_lib.serve.contract import OWN_PORT
    from kairos_lib.serve.supervisor import Supervisor

    async def run() -> None:
        await Supervisor(project, opened, groups, redis_port or OWN_PORT).run()

    asyncio.run(run())


@click.command()
@service_option
@click.option("--group", required=True, help="Name of the group in the service's parameters.")
def worker(service: str | None, group: str) -> None:
    """Work for one GROUP of a service, whose Redis is named by REDIS_URL."""
    project, opened = _opened(service)
    _checked(opened, group)

    from kairos_lib.serve import surroundings
    from kairos_lib.serve.group_worker import GroupWorker

    surroundings.settle(opened, group)

    async def run() -> None:
        await GroupWorker(project, opened, group).run()

    _run(run())


@click.command()
@service_option
def coordinator(service: str | None) -> None:
    """Turn jobs into work for a service's groups, whose Redis is named by REDIS_URL."""
    project, opened = _opened(service)

    from kairos_lib.serve.coordinator import Coordinator

    async def run() -> None:
        await Coordinator(project, opened).run()

    _run(run())
