"""The example of a Node.js site, with a real Redis and a worker in Python in place of ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from helpers.node_packages import node_modules
from helpers.projects import CHECKOUT
from helpers.redis_server import REDIS_SERVER, redis_server

EXAMPLE = CHECKOUT / "examples" / "node"
PACKAGE = json.loads((EXAMPLE / "package.json").read_text())
CHROMIUM = shutil.which("chromium")
# Tells and answers what the service does; a job is as long as its film's name says.
WORKER = """
import asyncio, re, sys
from bullmq import UnrecoverableError, Worker

async def work(job, token):
    path = job.data["videoPath"]
    for done in (1, 2):
        await job.updateProgress({
            "state": "running", "done": done, "total": 2,
            "analyzers": {"scenes": {"state": "running", "done": done, "total": 2, "reason": path}},
        })
        await asyncio.sleep(float((re.findall("[0-9.]+s", path) or ["0s"])[0][:-1]))
    if "broken" in path:
        raise UnrecoverableError("cannot be read")
    return {"result": "runs/service/k.json", "video": path, "base": "runs/base/b", "vlm": None}

async def main():
    Worker("vlm-process", work, {"connection": sys.argv[1], "drainDelay": 1})
    await asyncio.Event().wait()

asyncio.run(main())
"""
AT_MOST_S = 60.0


class Site:
    """The example, installed beside its packages, with a Redis and workers."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.redis = redis.Redis.from_url(address)
        self._environment = {**os.environ, "REDIS_URL": address, "PORT": "0"}

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """A worker in Python that is up for a block."""
        process = subprocess.Popen([sys.executable, "-c", WORKER, self.address])
        try:
            yield
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def node(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A script of the example that runs for a block."""
        process = subprocess.Popen(
            ["node", *words], cwd=self.folder, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, *words: str) -> tuple[int, str, str]:
        """A script of the example until its end."""
        with self.node(*words) as process:
            out, error = process.communicate(timeout=AT_MOST_S)
            return process.returncode, out, error

    def add(self, path: str, *words: str) -> str:
        """The id of a job that the producer added."""
        code, out, error = self.run("producer.mjs", path, *words)
        assert code == 0, error
        return out.strip()

    def listening(self) -> None:
        """Wait until somebody reads events."""
        until_s = time.monotonic() + AT_MOST_S
        while not any(one["cmd"] == "xread" for one in self.redis.client_list()):
            assert time.monotonic() < until_s, "nobody listens"
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if REDIS_SERVER is None:
        pytest.skip("redis-server not installed: apt-get install redis-server")
    modules = node_modules(PACKAGE["dependencies"])
    folder = tmp_path / "site"
    shutil.copytree(EXAMPLE, folder)
    (folder / "node_modules").symlink_to(modules)
    data = tmp_path / "redis"
    data.mkdir()
    with redis_server(data) as address:
        yield Site(folder, address)


def told(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_the_example_names_exact_versions_and_no_registry() -> None:
    versions = PACKAGE["dependencies"]
    assert versions == {"bullmq": "6.7.0", "ioredis": "6.0.0"}
    assert "package-lock=false" in (EXAMPLE / ".npmrc").read_text().splitlines()
    assert not (EXAMPLE / "package-lock.json").exists()


@pytest.mark.services
def test_a_job_added_while_no_worker_is_up_is_done_when_one_comes(site: Site) -> None:
    job = site.add("/films/0.1s.mp4")
    assert site.redis.llen("bull:vlm-process:wait") == 1
    with site.node("listener.mjs", job) as listener:
        site.listening()
        with site.worker():
            out, error = listener.communicate(timeout=AT_MOST_S)
    assert listener.returncode == 0, error
    first, *others = told(out)
    assert first == {"event": "progress", "job": job, "state": "waiting", "progress": 0}
    assert [one["event"] for one in others] == ["progress", "progress", "completed"]
    assert [one["progress"]["done"] for one in others[:2]] == [1, 2]
    assert others[0]["progress"]["analyzers"]["scenes"]["state"] == "running"
    assert others[2]["result"]["result"] == "runs/service/k.json"


@pytest.mark.services
def test_no_event_of_many_fast_jobs_is_missed(site: Site) -> None:
    with site.worker(), site.node("listener.mjs") as listener:
        site.listening()
        jobs = [site.add(f"/films/{number}.mp4") for number in range(5)]
        assert listener.stdout is not None
        heard = [json.loads(listener.stdout.readline()) for _ in range(3 * len(jobs))]
    for job in jobs:
        own = [one["event"] for one in heard if one["job"] == job]
        assert own == ["progress", "progress", "completed"]


@pytest.mark.services
def test_what_is_told_between_opening_and_reading_is_not_lost(site: Site) -> None:
    """A job that is over before QueueEvents begins to read; its default would wait for ever."""
    script = """
        import { add, follow, openEvents, openQueue } from "./queue.mjs";
        import { QueueEvents } from "bullmq";
        const queue = openQueue();
        const really = QueueEvents.prototype.waitUntilReady;
        QueueEvents.prototype.waitUntilReady = async function () {
          await really.call(this);
          const job = await add(queue, { videoPath: "/films/fast.mp4" });
          while ((await job.getState()) !== "completed") {}
        };
        await openEvents(queue, (events) => follow(events, undefined, ({ event }) => {
          if (event === "completed") { console.log("heard"); process.exit(0); }
        }));
        setTimeout(() => process.exit(3), 5000);
    """
    (site.folder / "fast.mjs").write_text(script)
    site.add("/films/before.mp4")
    with site.worker():
        code, out, error = site.run("fast.mjs")
    assert (code, out) == (0, "heard\n"), error


@pytest.mark.services
def test_who_listens_late_is_told_how_a_job_ended(site: Site) -> None:
    done, broken = site.add("/films/a.mp4"), site.add("/films/broken.mp4", "5")
    with site.worker():
        assert site.run("listener.mjs", done)[0] == 0
        site.run("listener.mjs", broken)
    code, out, _ = site.run("listener.mjs", done)
    assert (code, told(out)[0]["event"]) == (0, "completed")
    code, out, _ = site.run("listener.mjs", broken)
    assert code == 1
    assert told(out) == [{"event": "failed", "job": broken, "reason": "cannot be read"}]
    code, out, error = site.run("listener.mjs", "none")
    assert (code, out, error) == (2, "", "there is no job none\n")
    assert site.run("producer.mjs", "/a.mp4", "high")[0] == 2


@contextlib.contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of the example's page."""
    with site.node("server.mjs") as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()


def ask(
    page: str, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=AT_MOST_S)
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    # A stream says now and then that it is still there, and would be read for ever.
    with answer, contextlib.closing(connection):
        content, until_s = b"", time.monotonic() + AT_MOST_S
        while part := answer.read1():
            content += part
            assert time.monotonic() < until_s, content
    return answer, content


JSON = {"Content-Type": "application/json"}


@pytest.mark.services
def test_progress_comes_to_a_browser_as_server_sent_events(site: Site) -> None:
    with served(site) as page:
        film = json.dumps({"videoPath": " /films/0.1s.mp4 "})
        answer, content = ask(page, "POST", "/jobs", film, JSON)
        assert answer.status == 202
        job = json.loads(content)["id"]
        with site.worker():
            answer, content = ask(page, "GET", f"/jobs/{job}/events")
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = [part.split("\n") for part in content.decode().strip().split("\n\n")]
        names = [lines[0] for lines in events]
        assert names[0] == "event: progress" and names[-1] == "event: completed"
        last = json.loads(events[-1][1].removeprefix("data: "))
        assert last["result"]["video"] == "/films/0.1s.mp4"
        # Who comes back after the end is told it at once.
        again = ask(page, "GET", f"/jobs/{job}/events")[1].decode()
        assert again.startswith("event: completed\n") and again.count("event:") == 1


@pytest.mark.services
def test_the_page_refuses_what_is_not_its_own(site: Site) -> None:
    film = json.dumps({"videoPath": "/films/a.mp4"})
    with served(site) as page:
        answer, _ = ask(page, "GET", "/")
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'") and "unsafe" not in policy
        refused = {
            ("POST", "/jobs", film, "Host: evil.example"): 421,
            ("POST", "/jobs", film, "Origin: http://evil.example"): 403,
            ("POST", "/jobs", film, "Content-Type: text/plain"): 415,
            ("POST", "/jobs", "{", ""): 400,
            ("POST", "/jobs", "null", ""): 400,
            ("POST", "/jobs", '{"videoPath": ["/a"]}', ""): 400,
            ("POST", "/jobs", '{"videoPath": "a\\u0000"}', ""): 400,
            ("POST", "/jobs", '{"videoPath": "' + "x" * 20_000 + '"}', ""): 413,
            ("DELETE", "/jobs", "", ""): 405,
            ("GET", "/../queue.mjs", "", ""): 404,
            ("GET", "/%2e%2e/package.json", "", ""): 404,
            ("GET", "/toString", "", ""): 404,
            ("GET", "/jobs/none/events", "", ""): 404,
        }
        for (method, path, body, header), status in refused.items():
            name, _, value = header.partition(": ")
            headers = {**JSON, **({name: value} if name else {})}
            answer, content = ask(page, method, path, body, headers)
            assert answer.status == status, (method, path, header, content)
            assert json.loads(content)["error"] and "at " not in json.loads(content)["error"]
        assert not site.redis.exists("bull:vlm-process:wait")
        own = {**JSON, "Origin": page.rstrip("/")}
        assert ask(page, "POST", "/jobs", film, own)[0].status == 202


@pytest.mark.services
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_film_is_added_and_followed_in_a_browser(site: Site) -> None:
    from playwright.sync_api import expect, sync_playwright

    name = "/films/<img src=x onerror=alert(1)>2s.mp4"
    with served(site) as page, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        tab = browser.new_page()
        said: list[str] = []
        tab.on("console", lambda one: said.append(one.text))
        tab.on("pageerror", lambda one: said.append(str(one)))
        tab.goto(page)
        tab.keyboard.press("Tab")
        tab.keyboard.type(name)
        tab.keyboard.press("Enter")
        job = tab.locator("#jobs > li")
        expect(job.get_by_role("status")).to_have_text("waiting")
        with site.worker():
            expect(job.locator(".analyzers li")).to_contain_text(
                "scenes: running (1 of 2)", timeout=30_000
            )
            expect(job.get_by_role("status")).to_have_text(
                "done: runs/service/k.json", timeout=30_000
            )
        assert job.get_by_role("heading").text_content() == name
        assert tab.locator("img").count() == 0
        # Chromium asks for an icon by itself.
        assert [one for one in said if "404" not in one] == []
        browser.close()
