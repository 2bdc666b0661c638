"""Jobs by HTTP: added, watched, read, cancelled; the other side is a worker on the real queue."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

import pytest
from bullmq import Job
from bullmq.custom_errors import UnrecoverableError
from helpers.api_server import Api, told, until_cancelled, worker, write_result
from redis import Redis

pytestmark = pytest.mark.services
RESULT = {"title": "Match", "scenes": [{"number": 0, "caption": "A goal."}]}


def test_a_job_is_added_worked_on_and_its_result_read(api: Api) -> None:
    returned = write_result(api.project, "ab12", RESULT)

    async def work(job: Job) -> dict[str, Any]:
        assert job.data == {"videoPath": "videos/match.mp4", "priority": 5, "title": "Final"}
        await job.updateProgress(told(1, 4))
        await asyncio.sleep(0.5)
        return returned

    job_id = api.submit(priority=5, title="Final")
    queued = api.job(job_id)
    assert (queued["state"], queued["title"], queued["priority"]) == ("queued", "Final", 5)
    not_yet = api.client.get(f"/v1/jobs/{job_id}/result")
    assert (not_yet.status_code, not_yet.json()["error"]["code"]) == (409, "not_done")
    with worker(api.redis, work):
        running = api.until(job_id, "running")
        assert running["progress"]["analyzers"]["scenes"]["total"] == 4
        done = api.until(job_id, "done")
    assert done["submitted_s"] <= done["started_s"] <= done["finished_s"]
    assert api.client.get(f"/v1/jobs/{job_id}/result").json() == RESULT
    listed = api.client.get("/v1/jobs").json()
    assert listed["jobs"][0]["id"] == job_id
    assert listed["counts"]["completed"] >= 1


def test_a_cancelled_job_is_told_to_its_worker_and_cannot_be_cancelled_again(api: Api) -> None:
    async def work(job: Job) -> None:
        await job.updateProgress(told(0, 4))
        await until_cancelled(api.redis, job)
        raise UnrecoverableError("cancelled")

    job_id = api.submit()
    with worker(api.redis, work):
        api.until(job_id, "running")
        answer = api.client.post(f"/v1/jobs/{job_id}/cancel")
        assert answer.status_code == 202
        assert answer.json()["state"] in ("cancelling", "cancelled")
        assert api.until(job_id, "cancelled")["reason"] == "cancelled"
    again = api.client.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ended")


def test_a_failed_job_says_why_in_one_line_without_a_trace(api: Api) -> None:
    async def work(job: Job) -> None:
        raise UnrecoverableError(
            f"{api.project.root}/a.mp4 is no video\nTraceback (most recent call"
        )

    job_id = api.submit()
    with worker(api.redis, work):
        failed = api.until(job_id, "failed")
    assert failed["reason"] == "a.mp4 is no video"
    assert "Traceback" not in json.dumps(failed)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.mp4", "videos/../../outside.mp4", "/etc/passwd", "videos/link.mp4",
        "parameters/models/tiny.yaml", "videos", "videos/none.mp4", "videos/pipe.mp4",
        "runs/service/ab12.json", "videos/\u0000.mp4", "x" * 1999, "file:///etc/passwd",
    ],
)  # fmt: skip
def test_a_path_outside_the_folders_or_of_no_file_is_refused(api: Api, path: str) -> None:
    root = api.project.root
    (root.parent / "outside.mp4").write_bytes(b"secret")
    link, pipe = root / "videos" / "link.mp4", root / "videos" / "pipe.mp4"
    if not link.is_symlink():
        link.symlink_to(root.parent / "outside.mp4")
        os.mkfifo(pipe)
    answer = api.client.post("/v1/jobs", json={"videoPath": path})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_video")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"videoPath": 7}', 422),
        (b"{}", 422),
        (b'{"videoPath": "videos/match.mp4", "url": "https://videos.example/1"}', 422),
        (b'{"videoPath": "videos/match.mp4", "priority": true}', 422),
        (b'{"videoPath": "videos/match.mp4", "priority": "1"}', 422),
        (b'{"videoPath": "videos/match.mp4", "priority": 1.5}', 422),
        (b'{"videoPath": "videos/match.mp4", "priority": 0}', 422),
        (b'{"videoPath": "videos/match.mp4", "unknown": 1}', 422),
        (b'{"videoPath": "videos/match.mp4", "model": "nobody"}', 404),
        (b'{"videoPath": "videos/match.mp4", "model": "other"}', 404),
        (b'{"videoPath": "videos/match.mp4", "analyzers": ["objects"]}', 404),
        (b'{"url": "https://elsewhere.example/1"}', 403),
        (b'{"url": "file:///etc/passwd"}', 422),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b" " * 2_000_000, 413),
    ],
)
def test_a_body_that_is_not_a_job_is_refused_in_one_line(
    api: Api, body: bytes, status: int
) -> None:
    answer = api.client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert len(error["message"]) < 300 and "\n" not in error["message"]


@pytest.mark.parametrize("job_id", ["nobody", "meta", "events", "id", "completed", "a:b", "..%2f"])
def test_what_is_not_a_job_is_not_found_even_where_the_queue_has_such_a_key(
    api: Api, job_id: str
) -> None:
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/result", f"/v1/jobs/{job_id}/events"):
        assert api.client.get(path).status_code in (404, 422)


def test_a_result_outside_the_folder_of_results_is_not_read(api: Api) -> None:
    link = api.project.runs / "service" / "link.json"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(api.project.parameters / "models" / "tiny.yaml")
    uploaded = api.project.runs / "service" / "uploads" / "a.json"
    uploaded.parent.mkdir(exist_ok=True)
    uploaded.write_text("{}")
    outside = (
        "runs/service/../../parameters/models/tiny.yaml", "/etc/passwd", str(link), str(uploaded),
    )  # fmt: skip

    async def work(job: Job) -> dict[str, Any]:
        return {"result": job.data.get("title"), "video": "", "base": ""}

    with worker(api.redis, work):
        for named in outside:
            job_id = api.submit(title=named)
            api.until(job_id, "done")
            answer = api.client.get(f"/v1/jobs/{job_id}/result")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_result")


def test_a_picture_is_read_from_the_runs_alone(api: Api) -> None:
    secret = api.project.root / "videos" / "thumbnails" / "a.jpg"
    own = api.project.runs / "base" / "match" / "k" / "thumbnails" / "a.jpg"
    for path in (secret, own):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.parent.parent.name.encode())
    bases = {"runs/base/match/k": 200, "videos": 404, "runs/base/../../videos": 404, "/etc": 404}

    async def work(job: Job) -> dict[str, Any]:
        return {"result": "runs/service/none.json", "video": "", "base": job.data.get("title")}

    with worker(api.redis, work):
        for base, status in bases.items():
            job_id = api.submit(title=base)
            api.until(job_id, "done")
            answer = api.client.get(f"/v1/jobs/{job_id}/thumbnails/a.jpg")
            assert answer.status_code == status, base
            assert (answer.content == b"k") == (status == 200)
    assert api.client.get(f"/v1/jobs/{job_id}/thumbnails/..%2fa.jpg").status_code in (404, 422)


def test_a_job_of_another_site_is_shown_whatever_it_holds(api: Api) -> None:
    with Redis.from_url(api.redis) as redis:
        fields = {"name": "x", "data": '["odd"]', "opts": "{}", "timestamp": 1, "progress": "7"}
        redis.hset("bull:vlm-process:odd", mapping=fields)
        redis.zadd("bull:vlm-process:failed", {"odd": 1})
    assert api.job("odd")["state"] == "failed"
    assert "odd" in [job["id"] for job in api.client.get("/v1/jobs?limit=200").json()["jobs"]]


def test_what_can_be_asked_for_is_listed(api: Api) -> None:
    analyzers = {a["id"]: a for a in api.client.get("/v1/analyzers").json()["analyzers"]}
    assert (analyzers["scenes"]["group"], analyzers["scenes"]["served"]) == ("cpu", True)
    assert analyzers["objects"]["served"] is False
    models = {m["id"]: m for m in api.client.get("/v1/models").json()["data"]}
    assert (models["tiny"]["default"], models["other"]["served"]) == (True, False)


def test_it_is_ready_once_every_group_has_a_process_that_was_seen_lately(api: Api) -> None:
    assert api.client.get("/healthz").json() == {"status": "ok"}
    api.beat("cpu")
    assert api.client.get("/readyz").status_code == 503
    api.beat("vlm", state="loading")
    assert api.client.get("/readyz").json()["groups"] == {"cpu": True, "vlm": False}
    api.beat("vlm", state="busy")
    assert api.client.get("/readyz").status_code == 200
    api.beat("vlm", seen_s=time.time() - 10)
    assert api.client.get("/readyz").status_code == 503
