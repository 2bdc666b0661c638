"""A job's events over HTTP: from now, from where one was cut off, and to the end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bullmq import Job
from helpers.api_server import Api, told, worker, write_result
from redis import Redis

pytestmark = pytest.mark.services
STEPS = 6


def events(api: Api, job_id: str, last: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The id, kind and data of each event until the API ends them."""
    headers = {"Last-Event-ID": last} if last else {}
    with api.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield fields["id"], fields["event"], json.loads(fields["data"])
                fields = {}


def finished_job(api: Api) -> str:
    returned = write_result(api.project, "e1", {})

    async def work(job: Job) -> dict[str, Any]:
        for step in range(STEPS):
            await job.updateProgress(told(step, STEPS))
        return returned

    with worker(api.redis, work):
        job_id = api.submit()
        api.until(job_id, "done")
    return job_id


def test_progress_arrives_while_a_job_runs_and_ends_with_the_job(api: Api) -> None:
    returned, heard = write_result(api.project, "e1", {}), threading.Semaphore(0)

    async def work(job: Job) -> dict[str, Any]:
        for step in range(STEPS):
            # Goes on only when what came before was received.
            assert await asyncio.to_thread(heard.acquire, timeout=20)
            await job.updateProgress(told(step, STEPS))
        return returned

    kinds, done = [], []
    with worker(api.redis, work):
        for _, kind, data in events(api, api.submit()):
            kinds.append(kind)
            done += [data["done"]] if kind == "progress" else []
            heard.release()
    assert done == list(range(STEPS))
    assert (kinds[0], kinds[-1], data["state"]) == ("job", "job", "done")


def test_who_was_cut_off_goes_on_where_it_was(api: Api) -> None:
    job_id = finished_job(api)
    with Redis.from_url(api.redis, decode_responses=True) as redis:
        stream = redis.xrange("bull:vlm-process:events")
    ids = [i for i, f in stream if f.get("jobId") == job_id and f["event"] == "progress"]
    told_after = [(kind, i) for i, kind, _ in events(api, job_id, ids[2])]
    assert [i for kind, i in told_after if kind == "progress"] == ids[3:]
    assert told_after[-1][0] == "job"
    # Everything was told: an EventSource takes 204 as the end.
    answer = api.client.get(
        f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": told_after[-1][1]}
    )
    assert (answer.status_code, answer.content) == (204, b"")


def test_who_asks_about_a_job_that_has_ended_gets_the_job_and_the_end(api: Api) -> None:
    job_id = finished_job(api)
    [(_, kind, data)] = events(api, job_id)
    assert (kind, data["state"]) == ("job", "done")


def test_where_events_were_lost_meanwhile_the_whole_job_is_told(api: Api) -> None:
    job_id = finished_job(api)
    with Redis.from_url(api.redis) as redis:
        redis.xtrim("bull:vlm-process:events", maxlen=1, approximate=False)
    [(_, kind, data)] = events(api, job_id, "1-0")
    assert (kind, data["state"]) == ("job", "done")


@pytest.mark.parametrize("last", ["x", "1", "-", "99999999999999999999-0", "1-0; DROP", "é"])
def test_an_id_that_redis_never_gave_is_refused(api: Api, last: str) -> None:
    headers = [(b"Last-Event-ID", last.encode("latin-1"))]
    answer = api.client.get(f"/v1/jobs/{api.submit()}/events", headers=headers)
    assert answer.status_code == 422
