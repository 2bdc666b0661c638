"""Jobs on real queues, with real processes: stand-in analyzers, and the models that ship."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks import standins
from benchmarks.served import Served, resident_processes, results

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]
LIMIT_S = 120.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two groups of analyzers that wait for a moment, a worker each."""
    root = tmp_path_factory.mktemp("standins") / "project"
    published = f"jsonl:{root / 'published'}"
    project = standins.make_project(root, seconds=0.05, publish=published)
    environment = standins.environment(project)
    made = Served(project, "waiting", ("look", "listen"), environment, root / "logs")
    with made.running() as running:
        yield running


def progress(job: dict[str, str]) -> dict[str, object]:
    return json.loads(job["progress"])


def outcome(job: dict[str, str]) -> dict[str, str]:
    assert "failedReason" not in job, job["failedReason"]
    return json.loads(job["returnvalue"])


def test_a_job_becomes_work_for_its_groups_and_ends_in_one_file(served: Served) -> None:
    video = standins.make_videos(served.project, 1, "first")[0]
    job = served.wait(served.add([{"videoPath": video}]), LIMIT_S)[0]
    done = outcome(job)
    whole = json.loads((served.project.root / done["result"]).read_text())
    assert whole["result"]["video"] == done["video"] == "first-000"
    assert [stage["state"] for stage in whole["analysis"]["stages"]] == ["done"] * 3
    scene = whole["scenes"][0]
    assert scene["waits_a"][0]["content"] == whole["result"]["video_sha256"]
    assert scene["waits_b"][0]["content"] == whole["result"]["video_sha256"]
    told = progress(job)
    assert (told["state"], told["done"], told["total"]) == ("done", 3, 3)
    assert {one["state"] for one in told["analyzers"].values()} == {"done"}


def test_what_a_job_came_to_is_published_where_the_service_says(served: Served) -> None:
    video = standins.make_videos(served.project, 1, "public")[0]
    done = outcome(served.wait(served.add([{"videoPath": video}]), LIMIT_S)[0])
    whole = json.loads((served.project.root / done["result"]).read_text())
    folder = served.project.root / "published"
    documents = [json.loads(path.read_text()) for path in folder.glob("videos/*.jsonl")]
    (document,) = (one for one in documents if one["title"] == whole["result"]["title"])
    scenes = folder / "scenes" / f"{document['video_id']}.jsonl"
    assert len(scenes.read_text().splitlines()) == len(whole["scenes"])


def test_a_video_that_was_analyzed_before_is_not_analyzed_again(served: Served) -> None:
    video = standins.make_videos(served.project, 1, "again")[0]
    first, second = (served.wait(served.add([{"videoPath": video}]), LIMIT_S)[0] for _ in range(2))
    assert outcome(first) == outcome(second)
    assert {one["state"] for one in progress(second)["analyzers"].values()} == {"reused"}
    ended = (served.project.root / standins.NOTES).read_text().splitlines()
    sha256 = results_of(served, "again-000")["video_sha256"]
    assert Counter(line for line in ended if sha256 in line).most_common(1)[0][1] == 1


def results_of(served: Served, video: str) -> dict[str, str]:
    heads = [whole["result"] for whole in results(served.project)]
    found = [head for head in heads if head["video"] == video]
    assert len(found) == 1
    return found[0]


def test_fresh_analyzes_again(served: Served) -> None:
    video = standins.make_videos(served.project, 1, "fresh")[0]
    served.wait(served.add([{"videoPath": video}]), LIMIT_S)
    job = served.wait(served.add([{"videoPath": video, "fresh": True}]), LIMIT_S)[0]
    assert outcome(job)
    sha256 = results_of(served, "fresh-000")["video_sha256"]
    ended = (served.project.root / standins.NOTES).read_text().splitlines()
    assert sum(sha256 in line for line in ended) == 4


def test_a_video_that_kills_its_process_uses_up_its_own_attempts_alone(served: Served) -> None:
    deadly = standins.make_videos(served.project, 1, standins.DEADLY)
    others = standins.make_videos(served.project, 4, "beside")
    names = served.add([{"videoPath": path} for path in [*deadly, *others]])
    killer, *rest = served.wait(names, LIMIT_S)
    assert "the process died (signal 9)" in killer["failedReason"]
    assert all(outcome(job) for job in rest)
    child = served.keys.hgetall(f"bull:kairos-look:{names[0]}-look-0")
    assert child["atm"] == "3"


def test_what_cannot_be_used_fails_at_once_and_says_why(served: Served) -> None:
    (served.project.root / "videos" / "no-video.mp4").write_text("words")
    asked = [
        {"videoPath": "videos/no-video.mp4"},
        {"videoPath": "videos/absent.mp4"},
        {"videoPath": "../outside.mp4"},
        {"videoPath": "/etc/passwd"},
        {"videoPath": "videos/no-video.mp4", "analyzers": ["waits_c"]},
        {"videoPath": "videos/no-video.mp4", "model": "llava"},
        {"url": "https://example.org/a.mp4"},
        {"videoPath": "videos/a.mp4", "priority": False},
        {},
    ]
    jobs = served.wait(served.add(asked), 30)
    first, *others = [job["failedReason"].split(":")[0].split(" (")[0] for job in jobs]
    assert first.endswith("no-video.mp4' is not a video that can be read")
    assert others == [
        "there is no file 'videos/absent.mp4'",
        "'../outside.mp4' is not in a folder of this service",
        "'/etc/passwd' is not in a folder of this service",
        "unknown stage 'waits_c'",
        "no group of this service has the model 'llava'",
        "this service fetches no addresses",
        "priority",
        "Value error, give either videoPath or url",
    ]


def at_work(job: dict[str, str]) -> bool:
    told = json.loads(job.get("progress", "{}"))
    return any(one["state"] == "running" for one in dict(told or {}).get("analyzers", {}).values())


def test_a_cancelled_job_ends_within_seconds_whether_its_work_has_begun_or_waits(
    tmp_path: Path,
) -> None:
    project = standins.make_project(tmp_path / "project", seconds=60)
    quick = standins.make_videos(project, 2)
    environment = standins.environment(project)
    made = Served(project, "waiting", ("look", "listen"), environment, tmp_path / "logs")
    with made.running() as running:
        begun, waiting = running.add([{"videoPath": path} for path in quick])
        deadline = time.monotonic() + 30
        while not any(busy := [at_work(running.job(name)) for name in (begun, waiting)]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        if busy[1]:
            begun, waiting = waiting, begun
        for name in (waiting, begun):
            began = time.monotonic()
            running.keys.set(f"kairos:cancel:{name}", 1)
            assert running.wait([name], 20)[0]["failedReason"] == "cancelled"
            assert time.monotonic() - began < 10
        assert not (project.root / standins.NOTES).exists()


def test_every_job_ends_once_while_its_processes_are_killed(tmp_path: Path) -> None:
    project = standins.make_project(tmp_path / "project", seconds=0.05)
    videos = standins.make_videos(project, 20)
    environment = standins.environment(project)
    groups = ("look", "look", "listen", "listen")
    with Served(project, "waiting", groups, environment, tmp_path / "logs").running() as running:
        names = running.add([{"videoPath": path} for path in videos])
        killed: Counter[str] = Counter()
        for number in range(6):
            time.sleep(1.5)
            worker = running.workers[number % len(groups)]
            if number % 3 == 0:
                killed["pool"] += running.kill_resident(worker)
            elif number % 3 == 1:
                killed["worker"] += 1
                worker.kill()
            else:
                killed["coordinator"] += 1
                running.coordinator.kill()
        jobs = running.wait(names, 180)
        assert [job.get("failedReason") for job in jobs] == [None] * len(videos)
        assert len({outcome(job)["result"] for job in jobs}) == len(videos)
        assert running.ended() == (len(videos), 0)
    assert min(killed["worker"], killed["coordinator"]) >= 2
    found = [whole["result"]["video_sha256"] for whole in results(project)]
    assert len(found) == len(set(found)) == len(videos)


def test_nothing_is_left_running_when_a_worker_is_killed(served: Served) -> None:
    worker = served.workers[0]
    residents = resident_processes(worker)
    assert residents
    worker.kill()
    _, alive = psutil.wait_procs(residents, timeout=5)
    assert not alive
    deadline = time.monotonic() + 60
    while len(served.residents()) < len(served.workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_more_memory_than_allowed_ends_a_process_after_its_job_and_not_before(
    tmp_path: Path,
) -> None:
    project = standins.make_project(tmp_path / "project", seconds=0.05, memory_limit_mib=100)
    videos = standins.make_videos(project, 3)
    environment = standins.environment(project)
    groups = ("look", "listen")
    with Served(project, "waiting", groups, environment, tmp_path / "logs").running() as running:
        before = {one["group"]: one["pid"] for one in running.heartbeats()}
        for job in running.wait(running.add([{"videoPath": path} for path in videos]), LIMIT_S):
            assert outcome(job)
        deadline = time.monotonic() + 60
        ready: dict[str, int] = {}
        # The group that has read the video; a heartbeat comes once a second.
        while ready.get("look") in (None, before["look"]) or "listen" not in ready:
            assert time.monotonic() < deadline, ready
            time.sleep(0.1)
            ready = {
                one["group"]: one["pid"] for one in running.heartbeats() if one["state"] == "ready"
            }
        assert ready["listen"] == before["listen"]
        children = [running.keys.hgetall(f"bull:kairos-look:{n}-look-0") for n in (1, 2, 3)]
        assert [child["atm"] for child in children] == ["1"] * 3


def test_work_that_takes_longer_than_it_may_is_ended(tmp_path: Path) -> None:
    project = standins.make_project(tmp_path / "project", seconds=60, attempts=1, timeout_s=1.0)
    video = standins.make_videos(project, 1)[0]
    environment = standins.environment(project)
    groups = ("look", "listen")
    with Served(project, "waiting", groups, environment, tmp_path / "logs").running() as running:
        job = running.wait(running.add([{"videoPath": video}]), LIMIT_S)[0]
        assert job["failedReason"] == "it took longer than 1 s"
        told = progress(job)["analyzers"]
        assert told["waits_a"] == {
            "state": "failed", "done": 0, "total": 0, "reason": "it took longer than 1 s",
        }  # fmt: skip


def test_no_work_begins_on_a_full_disk(tmp_path: Path) -> None:
    project = standins.make_project(
        tmp_path / "project", seconds=0, attempts=1, free_disk_mib=10**9
    )
    video = standins.make_videos(project, 1)[0]
    environment = standins.environment(project)
    groups = ("look", "listen")
    with Served(project, "waiting", groups, environment, tmp_path / "logs").running() as running:
        job = running.wait(running.add([{"videoPath": video}]), LIMIT_S)[0]
        assert "less than free_disk_mib" in job["failedReason"]


def test_a_group_s_processes_work_at_once_and_one_that_dies_takes_no_other_along(
    tmp_path: Path,
) -> None:
    project = standins.make_project(tmp_path / "project", seconds=0.5, processes=2)
    deadly = standins.make_videos(project, 1, standins.DEADLY)
    others = standins.make_videos(project, 4)
    environment = standins.environment(project)
    groups = ("look", "listen")
    with Served(project, "waiting", groups, environment, tmp_path / "logs").running() as running:
        names = running.add([{"videoPath": path} for path in [*deadly, *others]])
        killer, *rest = running.wait(names, LIMIT_S)
        assert "the process died" in killer["failedReason"]
        assert all(outcome(job) for job in rest)
        children = [running.keys.hgetall(f"bull:kairos-look:{n}-look-0") for n in names[1:]]
        assert [child["atm"] for child in children] == ["1"] * 4
        jobs = Counter(one["group"] for one in running.heartbeats() if one["jobs"])
        assert jobs == {"look": 2, "listen": 2}
