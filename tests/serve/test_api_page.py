"""The service's page in a real browser: what users do with it, and what it must not let happen."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bullmq import Job
from helpers.api_server import UPLOAD_MIB, Api, told, until_cancelled, worker, write_result
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from kairos_lib.serve.api import page as page_module

CHROMIUM = shutil.which("chromium")
ALERT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
PAGE = Path(page_module.__file__).with_name("page")

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

DROP = """(name) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["a video of the page's test"], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""


def found(api: Api, key: str) -> dict[str, Any]:
    """A result with hostile texts, and what the job that made it returns."""
    scene = {"index": 0, "start_s": 0.0, "end_s": 4.0, "thumbnails": ["00000-middle.jpg"]}
    content = {
        "result": {"duration_s": 4.0, "model": "tiny", "title": ALERT},
        "scenes": [
            {
                "scene": scene, "caption": {"text": f"A goal. {ALERT}"},
                "transcript": f"Tor! {ALERT}", "sounds": [{"label": "whistle"}],
                "objects": [{"label": f"ball {ALERT}", "count": 2}],
            }
        ],
    }  # fmt: skip
    pictures = api.project.runs / "base" / "match" / "k" / "thumbnails"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "00000-middle.jpg").write_bytes(b"not really a picture")
    return write_result(api.project, key, content)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # A busy machine takes its time.
        expect.set_options(timeout=30_000)
        started = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


def opened(context: BrowserContext, api: Api, path: str = "/") -> Page:
    """The page, on which nothing may speak up, fail or leave the service."""
    page = context.new_page()

    def refuse(thing: Any) -> None:
        raise AssertionError(f"the page did something: {thing}")

    def said(message: Any) -> None:
        if "Content Security Policy" in message.text:
            refuse(message.text)

    page.on("dialog", refuse)
    page.on("pageerror", refuse)
    page.on("console", said)
    own = (api.address, "blob:")
    page.on("request", lambda asked: asked.url.startswith(own) or refuse(asked.url))
    page.goto(f"{api.address}{path}")
    return page


def test_a_dropped_file_becomes_a_job_whose_progress_and_result_are_shown(
    context: BrowserContext, api: Api
) -> None:
    returned, go_on = found(api, "abcd1234"), threading.Event()

    async def work(job: Job) -> dict[str, Any]:
        await job.updateProgress(told(0, 60))
        await job.updateProgress(told(12, 60) | {"analyzers": {"scenes": running(12)}})
        await asyncio.to_thread(go_on.wait, 60)
        return returned

    def running(done: int) -> dict[str, Any]:
        return {"state": "running", "done": done, "total": 60, "reason": ""}

    name = f"Final {ALERT}.mp4"
    page = opened(context, api)
    with worker(api.redis, work):
        page.evaluate(DROP, name)
        job = page.locator(".job", has_text="Final").first
        expect(job.locator(".parts")).to_have_text("scenes 12/60")
        assert job.locator("progress").evaluate("bar => bar.value") == pytest.approx(0.2)
        # A title stays text.
        assert job.locator("h3").inner_text() == name
        go_on.set()
        expect(job.locator(".pill").first).to_have_text("done")
    job.get_by_role("link", name="Open the result").click()
    expect(page.locator("blockquote")).to_have_text(f"A goal. {ALERT}")
    result = page.locator("#result")
    assert f"ball {ALERT} × 2" in result.inner_text()
    assert f"Tor! {ALERT}" in result.inner_text()
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.get_by_role("link", name="All jobs").click()
    expect(page.locator("#overview")).to_be_visible()


def test_a_job_is_added_and_cancelled_by_keyboard_alone(context: BrowserContext, api: Api) -> None:
    async def work(job: Job) -> None:
        await job.updateProgress(told(0, 4))
        await until_cancelled(api.redis, job)
        raise RuntimeError("cancelled")

    page = opened(context, api)
    expect(page.locator("#model option")).to_have_count(2)
    page.locator("#files").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("videos/match.mp4")
    page.keyboard.press("Enter")
    job = page.locator(".job").first
    expect(job.locator("h3")).to_have_text("match.mp4")
    expect(job.locator(".pill").first).to_have_text("queued")
    job.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(job.locator(".pill").first).to_have_text("cancelling")


def test_what_the_service_refuses_is_said_in_its_words(
    context: BrowserContext, api: Api, tmp_path: Path
) -> None:
    page = opened(context, api)
    page.fill("#where", "/etc/passwd")
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("alert").first).to_contain_text("not in a folder of this service")
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(UPLOAD_MIB * 2**20 + 1))
    page.set_input_files("#files", large)
    expect(page.locator("#sending [role=alert]")).to_contain_text("at most")


def test_a_token_is_asked_for_and_goes_with_what_is_read(
    context: BrowserContext, closed_api: Api
) -> None:
    page = opened(context, closed_api)
    expect(page.locator("#secret")).to_be_focused()
    page.keyboard.type("a wrong token")
    page.keyboard.press("Enter")
    expect(page.locator("#secret")).to_be_focused()
    page.keyboard.type(closed_api.token)
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("Under test")
    expect(page.locator("#token")).to_be_hidden()
    assert closed_api.token not in page.content()


def test_groups_show_their_processes_and_charts_their_numbers(
    context: BrowserContext, api: Api
) -> None:
    api.beat("cpu", state="busy", host=ALERT[:20], rss_mib=1536.0, hits=9, loads=1, jobs=4)
    page = opened(context, api)
    row = page.locator("#groups tr", has_text="cpu").first
    expect(row).to_contain_text("1.5 GiB")
    assert "90%" in row.inner_text() and "busy" in row.inner_text()
    expect(page.locator("#groups tr", has_text="vlm").first).to_contain_text("no process")
    expect(page.locator("#charts svg").first).to_have_attribute("aria-label", re.compile("minutes"))
    # Nothing is measured of a GPU that is not there.
    assert page.locator("figure:visible", has_text="GPU").count() == 0


def test_on_a_phone_nothing_is_wider_than_the_screen_and_it_can_be_dark(
    browser: Browser, api: Api
) -> None:
    api.beat("cpu", rss_mib=1536.0)
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, color_scheme="dark"
    )
    page = opened(context, api)
    expect(page.locator("#groups tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    context.close()


def test_nothing_of_the_page_runs_or_is_styled_inline() -> None:
    text = (PAGE / "index.html").read_text()
    assert "<style" not in text and "style=" not in text
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.S) == [""]
    assert not re.search(r"\son[a-z]+=", text)
    for path in PAGE.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|eval\(|document\.write", path.read_text()
        )


def test_the_wheel_has_the_page() -> None:
    root = Path(__file__).resolve().parents[2]
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["kairos_lib"]
    covered = {path for pattern in patterns for path in (root / "kairos_lib").glob(pattern)}
    assert set(PAGE.iterdir()) <= covered
