"""The page of a video in a real browser: by keyboard, on a phone, and what it must not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.found_videos import ALERT, OWN, found_video, own_analyzers
from helpers.suites import SuiteMaker
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kairos_lib.report.video_page import write_video_page

CHROMIUM = shutil.which("chromium")
CONTRAST = """
elements => {
  const channels = (colour) => {
    const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...elements.map((element) => {
    const style = getComputedStyle(element);
    const ink = light(element.closest("svg") ? style.fill : style.color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
}
"""
"""The lowest contrast of texts with the paper (WCAG 2.2, contrast ratio)."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # A busy machine takes its time.
        expect.set_options(timeout=30_000)
        started = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        yield started
        started.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("video")
    with own_analyzers(root / "own", **OWN):
        maker = SuiteMaker(root / "project")
        folder = found_video(maker, title=f"Cup {ALERT}")
        return write_video_page(maker.project, folder, root / "reports" / "index.html")


@pytest.fixture
def opened(browser: Browser, path: Path) -> Iterator[Any]:
    """Opens the page, on which nothing may speak up, fail or leave the folder."""
    contexts = []

    def refuse(thing: Any) -> None:
        raise AssertionError(f"the page did something: {thing}")

    def stay(asked: Any) -> None:
        if not asked.url.startswith(("file:", "data:")):
            refuse(asked.url)

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", refuse)
        page.on("pageerror", refuse)
        page.on("request", stay)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_arrow_keys_move_about_the_timeline_and_enter_leads_to_the_scene(opened: Any) -> None:
    page = opened()
    page.locator(".track").focus()
    page.keyboard.press("Tab")
    focused = page.locator(".drawn a:focus")
    expect(focused).to_have_attribute("aria-label", "Scene 1, 0:00.0–0:05.0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", "Scene 4, 0:15.0–0:20.0")
    expect(page.locator(".readout")).to_contain_text("Seen: ball")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("href", "#scene-3")
    expect(page.locator(".readout")).to_contain_text("Sentence 2 of the game.")
    page.keyboard.press("End")
    expect(focused).to_have_attribute("href", "#scene-11")
    assert page.locator(".drawn a[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator("#scene-11")).to_be_focused()
    expect(page.locator("#scene-11")).to_be_in_viewport()


@pytest.mark.services
def test_a_focused_mark_can_be_seen(opened: Any) -> None:
    page = opened()
    page.locator(".track").focus()
    page.keyboard.press("Tab")
    width = "element => parseFloat(getComputedStyle(element.querySelector('rect')).strokeWidth)"
    assert page.locator(".drawn a:focus").evaluate(width) >= 2


def test_text_and_presence_filter_the_scenes_together(opened: Any) -> None:
    page = opened()
    found = page.locator("output[name=found]")
    expect(found).to_have_text("12 scenes")
    page.get_by_label("Object").select_option("ball")
    expect(found).to_have_text("4 of 12 scenes")
    page.get_by_role("searchbox").fill("SENTENCE game")
    expect(found).to_have_text("2 of 12 scenes")
    page.get_by_label("Sound").select_option("whistle")
    expect(found).to_have_text("0 of 12 scenes")
    page.get_by_role("button", name="Show all").click()
    expect(found).to_have_text("12 scenes")
    expect(page.locator(".scene:visible")).to_have_count(12)


@pytest.mark.services
def test_a_mark_of_a_scene_that_is_filtered_out_shows_it(opened: Any) -> None:
    page = opened()
    page.get_by_label("Object").select_option("ball")
    expect(page.locator("#scene-2")).to_be_hidden()
    expect(page.locator(".scene-lane a.out")).to_have_count(8)
    page.locator(".scene-lane a[href='#scene-2']").click()
    expect(page.locator("#scene-2")).to_be_visible()
    expect(page.locator("output[name=found]")).to_have_text("12 scenes")


@pytest.mark.services
def test_what_is_drawn_on_pictures_can_be_left_out(opened: Any) -> None:
    page = opened()
    boxes = page.locator("#scene-1 .shot svg")
    expect(boxes).to_be_visible()
    shot, drawn = page.locator("#scene-1 img").bounding_box(), boxes.bounding_box()
    assert shot and drawn
    assert all(abs(shot[side] - drawn[side]) < 1.5 for side in shot)
    page.get_by_label("Show what was found on the pictures").uncheck()
    expect(boxes).to_be_hidden()


def test_on_a_phone_only_the_timeline_scrolls_sideways_and_its_names_stay(opened: Any) -> None:
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    track, name = page.locator(".track"), page.locator(".lane-name b").first
    before = name.bounding_box()
    assert track.evaluate("track => track.scrollWidth > track.clientWidth")
    track.evaluate("track => { track.scrollLeft = 200; }")
    assert name.bounding_box() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_the_paper(opened: Any, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    for texts in ("h1, h2, h3, dt, dd, .remark, .finish", ".lane-name b", ".lane-name span",
                  ".drawn .axis text"):  # fmt: skip
        assert page.locator(texts).evaluate_all(CONTRAST) >= 4.5, texts


def test_without_its_script_everything_is_shown_and_marks_are_links(opened: Any) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator(".scene:visible").count() == 12
    expect(page.locator(".filters")).to_be_hidden()
    page.locator(".scene-lane a[href='#scene-9']").click()
    assert page.url.endswith("#scene-9")
