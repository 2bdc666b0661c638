"""`/metrics`: the service's numbers for Prometheus, looked up when it asks."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from kairos_lib.serve.api.guard import Answered
from kairos_lib.serve.api.problems import Documented, documented
from kairos_lib.serve.api.sampling import Sample, Sampler
from kairos_lib.serve.api.setting import MIB

router = APIRouter(tags=["health"])
OF_WORKERS = ("group", "host", "pid", "device")
TOTALS = {
    "media_s": ("media_seconds", "Length of the videos of finished jobs"),
    "work_s": ("work_seconds", "Time that finished jobs took, from their beginning to their end"),
    "hits": ("pool_hits", "How often a model was found loaded"),
    "loads": ("pool_loads", "How often a model was loaded"),
    "evictions": ("pool_evictions", "How often a model was put out to make room"),
}
TEXT: Documented = {
    200: {
        "description": "Metrics in Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@router.get("/metrics", response_class=Response, responses={**documented(), **TEXT})
async def metrics(request: Request) -> Response:
    """Queues, jobs, stages, pools, memory, GPUs and answers, for Prometheus."""
    sampler: Sampler = request.app.state.sampler
    answered: Answered = request.app.state.answered
    registry = CollectorRegistry()
    registry.register(_Collected([*_families(await sampler.look()), *_own(answered)]))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Collected:
    """Metrics that are known already, in the form in which a registry asks for them."""

    def __init__(self, found: list[Metric]) -> None:
        self.found = found

    def collect(self) -> list[Metric]:
        """The metrics."""
        return self.found


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"kairos_{name}", text, labels=labels)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"kairos_{name}", text, labels=labels)


def _families(now: Sample) -> Iterator[Metric]:
    """The numbers of the service."""
    depth = _gauge("queue_jobs", "Jobs of a queue in a state", ("queue", "state"))
    for queue, counts in now.counts.items():
        for state, count in counts.items():
            depth.add_metric([queue, state], count)
    yield depth
    ended = _counter("jobs", "Jobs that ended", ("outcome",))
    for outcome in ("done", "failed"):
        ended.add_metric([outcome], now.counters.get(f"jobs_{outcome}", 0.0))
    yield ended
    yield from _stages(now)
    for name, (called, text) in TOTALS.items():
        total = _counter(called, text)
        total.add_metric([], now.counters.get(name, 0.0))
        yield total
    shares = (
        ("rtf", "Seconds of work for a second of video, over all finished jobs", now.rtf),
        ("pool_hit_ratio", "Share of questions for a model that found it loaded", now.hit_rate),
    )
    for name, text, value in shares:
        share = _gauge(name, text)
        if value is not None:
            share.add_metric([], value)
        yield share
    yield from _workers(now)
    yield from _gpus(now)


def _stages(now: Sample) -> Iterator[Metric]:
    seconds = _counter("stage_seconds", "Time of an analyzer's runs", ("stage",))
    runs = _counter("stage_runs", "Runs of an analyzer", ("stage",))
    for name, value in now.counters.items():
        kind, _, stage = name.partition(":")
        if stage and kind == "stage_s":
            seconds.add_metric([stage], value)
        elif stage and kind == "stages":
            runs.add_metric([stage], value)
    yield seconds
    yield runs


def _workers(now: Sample) -> Iterator[Metric]:
    memory = _gauge("worker_resident_bytes", "Resident memory of a process", OF_WORKERS)
    device = _gauge("worker_device_bytes", "Device memory of a process", OF_WORKERS)
    states = _gauge("worker_state", "1 for the state of a process", (*OF_WORKERS, "state"))
    jobs = _counter("worker_jobs", "Children that a process finished", OF_WORKERS)
    errors = _counter("worker_errors", "Errors of a process", OF_WORKERS)
    for beat in now.workers:
        labels = [beat.group, beat.host, str(beat.pid), beat.device]
        memory.add_metric(labels, beat.rss_mib * MIB)
        device.add_metric(labels, beat.vram_mib * MIB)
        states.add_metric([*labels, beat.state], 1)
        jobs.add_metric(labels, beat.jobs)
        errors.add_metric(labels, beat.errors)
    yield from (memory, device, states, jobs, errors)


def _gpus(now: Sample) -> Iterator[Metric]:
    busy = _gauge("gpu_utilisation_ratio", "How busy a GPU of the API's machine is", ("gpu",))
    used = _gauge("gpu_memory_used_bytes", "Memory in use on it", ("gpu",))
    for gpu in now.gpus:
        busy.add_metric([str(gpu.index)], gpu.percent / 100)
        used.add_metric([str(gpu.index)], gpu.used_mib * MIB)
    yield busy
    yield used


def _own(answered: Answered) -> Iterator[Metric]:
    """The numbers of the API itself."""
    answers = _counter("api_answers", "Answers of the API", ("method", "path", "status"))
    # A copy: other requests are answered meanwhile.
    for (method, path, status), count in [*answered.items()]:
        answers.add_metric([method, path, str(status)], count)
    yield answers
    memory = _gauge("api_resident_bytes", "Resident memory of the API")
    memory.add_metric([], psutil.Process().memory_info().rss)
    yield memory
