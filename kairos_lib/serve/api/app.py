"""Puts the API together: its paths, its errors, its guard, and what runs as long as it does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from kairos_lib import __version__
from kairos_lib.serve.api import (
    catalogue,
    chat,
    events,
    health,
    jobs,
    metrics,
    page,
    problems,
    results,
    status,
    uploads,
)
from kairos_lib.serve.api.description import describe
from kairos_lib.serve.api.guard import Answered, Guard
from kairos_lib.serve.api.queues import Queues, connect
from kairos_lib.serve.api.sampling import Sampler
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.api.store import tidy
from kairos_lib.serve.api.stream import Hub

ROUTERS = (
    events.router, jobs.router, results.router, uploads.router, catalogue.router, status.router,
    chat.router, health.router, metrics.router, page.router,
)  # fmt: skip


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    setting: Setting = app.state.setting
    app.state.queues = queues = Queues(setting)
    redis = connect(setting.redis)
    await asyncio.to_thread(tidy, setting.uploads)
    app.state.hub = hub = Hub(redis)
    app.state.sampler = sampler = Sampler(queues)
    running = [asyncio.create_task(hub.run()), asyncio.create_task(sampler.run())]
    try:
        yield
    finally:
        hub.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        sampler.close()
        await redis.aclose()
        await queues.close()


def make_app(setting: Setting) -> ASGIApp:
    """The application, behind its guard."""
    answered: Answered = Counter()
    # The pages that show the description load scripts from elsewhere: the description is enough.
    app = FastAPI(
        title="Kairos",
        version=__version__,
        description=setting.service.title,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.setting = setting
    app.state.answered = answered
    app.state.uploads = set()
    app.state.questions = set()
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in ROUTERS for route in router.routes]
    description: dict[str, Any] = {}

    def described() -> dict[str, Any]:
        if not description:
            description.update(describe(app, setting))
        return description

    app.openapi = described  # type: ignore[method-assign]
    return Guard(app, setting, answered)
