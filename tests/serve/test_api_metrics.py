"""The service's numbers: for Prometheus, and for the page."""

from __future__ import annotations

import pytest
from helpers.api_server import Api
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from kairos_lib.serve.api.sampling import BUCKETS, Sample, series
from kairos_lib.serve.contract import COUNTERS, JOBS

COUNTED = {
    "jobs_done": 3, "jobs_failed": 1, "stage_s:scenes": 4.5, "stages:scenes": 3, "media_s": 120,
    "work_s": 30, "hits": 9, "loads": 1, "evictions": 2, "odd": "x",
}  # fmt: skip


def numbers(api: Api) -> dict[tuple[str, ...], float]:
    """Every number by its name and the values of its labels."""
    answer = api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(str(value) for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.services
def test_queues_jobs_stages_pools_memory_and_answers_are_counted(api: Api) -> None:
    with Redis.from_url(api.redis) as redis:
        redis.hset(COUNTERS, mapping=COUNTED)
    api.beat("cpu", rss_mib=512.0, errors=2)
    api.client.get("/none")
    before = numbers(api)["kairos_queue_jobs", JOBS, "prioritized"]
    api.submit()
    found = numbers(api)
    assert found["kairos_queue_jobs", JOBS, "prioritized"] == before + 1
    assert ("kairos_queue_jobs", "kairos-cpu", "active") in found
    assert found["kairos_jobs_total", "done"] == 3
    assert found["kairos_jobs_total", "failed"] == 1
    assert found["kairos_stage_seconds_total", "scenes"] == 4.5
    assert found["kairos_stage_runs_total", "scenes"] == 3
    assert found["kairos_rtf",] == 0.25
    assert found["kairos_pool_hit_ratio",] == 0.9
    assert found["kairos_pool_evictions_total",] == 2
    assert found["kairos_worker_resident_bytes", "cpu", "cpu", "here", "7"] == 512 * 2**20
    assert found["kairos_worker_errors_total", "cpu", "cpu", "here", "7"] == 2
    assert found["kairos_api_answers_total", "POST", "/v1/jobs", "202"] >= 1
    assert found["kairos_api_answers_total", "GET", "other", "404"] >= 1
    assert found["kairos_api_resident_bytes",] > 2**20


@pytest.mark.services
def test_the_status_says_what_runs_where(api: Api) -> None:
    api.beat("cpu", state="busy", rss_mib=256.0, hits=4)
    api.beat("vlm", host="there", pid=9, device="cuda:0", vram_mib=2048.0)
    status = api.client.get("/v1/status").json()
    groups = {group["name"]: group for group in status["groups"]}
    assert (groups["cpu"]["ready"], groups["cpu"]["analyzers"]) == (True, ["scenes", "sounds"])
    assert [worker["device"] for worker in groups["vlm"]["workers"]] == ["cuda:0"]
    assert groups["cpu"]["workers"][0]["rss_mib"] == 256.0
    assert len(status["series"]["waiting"]) == BUCKETS
    # A process that ended, or was not heard of for long, is not listed.
    api.beat("cpu", state="gone")
    api.beat("vlm", host="there", pid=9, device="cuda:0", seen_s=1.0)
    groups = {group["name"]: group for group in api.client.get("/v1/status").json()["groups"]}
    assert groups["cpu"]["workers"] == groups["vlm"]["workers"] == []


def test_rates_are_of_jobs_that_ended_and_gaps_stay_gaps() -> None:
    def sample(at_s: float, done: int) -> Sample:
        return Sample(at_s, {JOBS: {"waiting": 4, "active": 1}}, {"jobs_done": done})

    # Ten jobs in the first stretch, nothing seen in the second, none in the third, then a Redis
    # that lost its counters.
    seen = [sample(60, 0), sample(65, 5), sample(69, 10), sample(81, 10), sample(89, 10)]
    found = series([*seen, sample(99, 2)], now_s=100.0)
    assert found.jobs_per_minute[-4:] == [pytest.approx(66.67), None, 0.0, 0.0]
    assert found.waiting[-4:] == [4.0, None, 4.0, 4.0]
    assert found.gpu_percent == [None] * BUCKETS
    assert found.running[0] is None
