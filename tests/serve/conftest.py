"""A Redis and an API for the tests of the service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.api_server import Api, running_api, served_project
from helpers.redis_server import REDIS_SERVER, redis_server

TOKEN = "a-token-that-nobody-would-guess"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis for the tests of one file."""
    if REDIS_SERVER is None:
        pytest.skip("no redis-server on this machine")
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        yield address


@pytest.fixture(scope="module")
def api(redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API that needs no token."""
    project = served_project(tmp_path_factory.mktemp("served") / "project")
    with running_api(project, redis) as made:
        yield made


@pytest.fixture(scope="module")
def closed_api(api: Api) -> Iterator[Api]:
    """The same service by an API that wants a token."""
    with running_api(api.project, api.redis, TOKEN) as made:
        yield made
