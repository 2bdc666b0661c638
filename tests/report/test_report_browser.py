"""The report in a real browser: what a reader does with it, and what it must not let happen."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import numpy as np
import pytest
from helpers.reports import write_report
from helpers.suites import SuiteMaker
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from kairos_lib.media.scene import Scene
from kairos_lib.report.export import export
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import EXECUTED
from kairos_lib.vlm.records import Caption

CHROMIUM = shutil.which("chromium")
ALERT = "<script>alert(1)</script>"
HANDLER = "<svg onload=alert(2)>"
SENTENCE = "The goalkeeper leaves his line while two defenders close the gap on the left side. "
MODELS = ("a", "b", "c", "d")
VIDEOS = ("v1", "v2", "v3", "v4")
SCENES = 80
"""Of each video: more than fit on one page of 300."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


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


def opened(context: BrowserContext, address: str) -> Page:
    """A page on which nothing may speak up, fail or leave the folder."""
    page = context.new_page()

    def refuse(thing: Any) -> None:
        raise AssertionError(f"the page did something: {thing}")

    page.on("dialog", refuse)
    page.on("pageerror", refuse)
    page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or refuse(asked.url))
    page.goto(address)
    return page


def address(path: Path, hash: str = "") -> str:
    return f"{path.as_uri()}{hash}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, two videos, everything that can become of a caption, and hostile texts."""
    maker = SuiteMaker(tmp_path_factory.mktemp("small"))
    maker.base("match", f"Cup final {ALERT}", scenes=4)
    folder = maker.base("pasta", "Pasta", scenes=3)
    odd = f'"{HANDLER}.jpg'
    (folder / "thumbnails" / "00000-start.jpg").rename(folder / "thumbnails" / odd)
    scenes = list(Journal(folder / "scenes.jsonl", Scene))
    scenes[0] = scenes[0].model_copy(update={"thumbnails": (odd, scenes[0].thumbnails[1])})
    Journal(folder / "scenes.jsonl", Scene).write_all(iter(scenes))
    said = [
        f"A goal. {ALERT}",
        Caption(scene=1, text="It goes on and", truncated=True),
        Caption(scene=2, text="", error=f"lost {HANDLER}"),
        "Tomatoes on the pitch.",
    ]
    slow = maker.done("slow", f"Slow {ALERT}", "match", time_s=90, captions=said,
                      transcript=f"Tor für München! {ALERT}")  # fmt: skip
    maker.done("quick", "Quick", "match", time_s=9, captions=["One.", "Two.", "Three.", "Four."])
    maker.done("quick", "Quick", "pasta", time_s=20, captions=["Tomatoes.", "Salt.", "Water."])
    maker.failed("slow", f"Slow {ALERT}", "pasta", message=f"out of memory {ALERT}")
    write_notebook(slow / EXECUTED)
    (folder / EXECUTED).write_text("not a notebook")
    return write_report(maker.write(title=f"Demo {ALERT}"))


def write_notebook(path: Path) -> None:
    shown = new_output("display_data", {"text/html": f"<b>bold</b> {ALERT} {HANDLER}"})
    printed = new_output("stream", name="stdout", text=f"printed {ALERT}")
    nbformat.write(new_notebook(cells=[new_code_cell("f()", outputs=[shown, printed])]), path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models over four videos, on two pages, with pictures as large as they get."""
    maker = SuiteMaker(tmp_path_factory.mktemp("large"))
    photos = [noise(tmp_path_factory.mktemp("photos") / f"{seed}.jpg", seed) for seed in range(6)]

    def photo(path: Path, scene: int, share: int, title: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photos[(scene + share) % len(photos)])

    with mock.patch("helpers.suites.draw_thumbnail", photo):
        for video in VIDEOS:
            maker.base(video, f"Video {video} {ALERT}", scenes=SCENES)
    for model in MODELS:
        for video in VIDEOS:
            captions = [f"{model} {video} {i}. {ALERT} {SENTENCE * 5}" for i in range(SCENES)]
            maker.done(model, f"Model {model}", video, captions=captions, weights_source="nano",
                       transcript=SENTENCE)  # fmt: skip
    return write_report(maker.write())


def noise(path: Path, seed: int) -> bytes:
    """A picture with detail everywhere, saved as base processing does; no codec makes it small."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (27, 48, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((336, 189)), dtype=np.float64)
    grain = random.normal(0, 18, smooth.shape)
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=85)
    return path.read_bytes()


def scenes_shown(page: Page) -> int:
    return page.locator(".scene:visible").count()


def found(page: Page) -> str:
    return page.locator("output[name=found]").inner_text()


def options(page: Page, name: str) -> list[str]:
    return [text.strip() for text in page.locator(f"select[name={name}] option").all_inner_texts()]


def test_hostile_texts_are_shown_as_text_on_every_page(
    context: BrowserContext, small: Path, large: Path
) -> None:
    notebooks = small.parent / "notebooks"
    page = opened(context, address(small))
    assert page.title() == f"Demo {ALERT}"
    hostile = (
        f"A goal. {ALERT}", f"Tor für München! {ALERT}", f"lost {HANDLER}", f"Slow {ALERT}",
        f"Cup final {ALERT}", f"out of memory {ALERT}",
    )  # fmt: skip
    for text in hostile:
        assert text in page.locator("main").inner_text()
    page = opened(context, address(large.with_name("scenes-2.html")))
    assert f"b v3 79. {ALERT}" in page.locator("main").inner_text()
    page = opened(context, address(notebooks / "slow--match--r001.html"))
    assert f"bold {ALERT} {HANDLER}" in page.locator("main").inner_text()
    assert f"printed {ALERT}" in page.locator("main").inner_text()
    assert page.locator("b").inner_text() == "bold"


def test_what_a_cell_of_an_edited_notebook_shows_cannot_run(
    context: BrowserContext, maker: SuiteMaker
) -> None:
    executed = maker.project.runs / "analysis" / "demo" / "k" / EXECUTED
    executed.parent.mkdir(parents=True)
    write_notebook(executed)
    index = maker.project.reports / "demo" / "index.html"
    export(maker.project, executed, index)
    text = index.read_text()
    assert ALERT in text
    page = opened(context, address(index))
    page.wait_for_timeout(100)
    assert page.locator("b").inner_text() == "bold"


def test_scenes_are_filtered_by_video_object_sound_and_what_became_of_the_caption(
    context: BrowserContext, small: Path
) -> None:
    page = opened(context, address(small))
    assert found(page) == "7 scenes"
    assert options(page, "video") == ["all (7)", f"Cup final {ALERT} (4)", "Pasta (3)"]
    assert options(page, "objects") == ["any (7)", "ball (7)", "person (7)"]
    assert options(page, "status") == [
        "any (7)", "captioned (7)", "cut off (1)", "failed (1)", "without caption (3)",
    ]  # fmt: skip
    page.select_option("[name=status]", "failed")
    assert found(page) == "1 of 7 scenes"
    assert page.locator(".scene:visible h4").all_inner_texts() == ["Scene 3"]
    # Each count says what one would get by that choice.
    assert options(page, "video") == ["all (1)", f"Cup final {ALERT} (1)", "Pasta (0)"]
    assert options(page, "status")[-1] == "without caption (3)"
    assert page.locator("h3:visible", has_text="Pasta").count() == 0
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("output")).to_have_text("7 scenes")
    assert scenes_shown(page) == 7
    page.select_option("[name=video]", label="Pasta (3)")
    page.select_option("[name=status]", "failed")
    assert (found(page), scenes_shown(page)) == ("0 of 7 scenes", 0)


def test_words_are_looked_for_in_captions_and_in_what_is_said(
    context: BrowserContext, small: Path
) -> None:
    page = opened(context, address(small))
    page.fill("[name=words]", "MUNCHEN pitch")
    expect(page.locator("output")).to_have_text("1 of 7 scenes")
    assert page.locator(".scene:visible h4").all_inner_texts() == ["Scene 4"]
    page.fill("[name=words]", "tomatoes")
    expect(page.locator("output")).to_have_text("2 of 7 scenes")


def test_a_model_can_be_left_out(context: BrowserContext, small: Path) -> None:
    page = opened(context, address(small))
    page.get_by_role("checkbox", name="Slow").uncheck()
    assert page.locator(".said:visible h5").all_inner_texts() == ["Quick"] * 7
    # What it wrote is not looked for any more, and what became of it is not counted.
    assert options(page, "status") == [
        "any (7)", "captioned (7)", "cut off (0)", "failed (0)", "without caption (0)",
    ]  # fmt: skip
    page.fill("[name=words]", "pitch")
    expect(page.locator("output")).to_have_text("0 of 7 scenes")


def test_filters_work_by_keyboard_alone(context: BrowserContext, small: Path) -> None:
    page = opened(context, address(small))
    page.locator("[name=words]").focus()
    page.keyboard.type("tomatoes")
    expect(page.locator("output")).to_have_text("2 of 7 scenes")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("output")).to_have_text("1 of 7 scenes")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "status"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert not page.get_by_role("checkbox", name="Slow").is_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("output")).to_have_text("7 scenes")
    assert page.evaluate("document.activeElement.name") == "words"


def test_what_is_chosen_is_in_the_address(context: BrowserContext, small: Path) -> None:
    page = opened(context, address(small))
    page.select_option("[name=status]", "cut off")
    page.fill("[name=words]", "goes on")
    expect(page.locator("output")).to_have_text("1 of 7 scenes")
    again = opened(context, page.url)
    assert (found(again), scenes_shown(again)) == ("1 of 7 scenes", 1)
    # A link to a scene that is filtered out shows it.
    again.evaluate("location.hash = '#scene-pasta-3'")
    expect(again.locator("#scene-pasta-3")).to_be_in_viewport()
    assert found(again) == "7 scenes"


def test_without_scripts_everything_is_shown_and_nothing_can_be_pressed(
    browser: Browser, small: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = opened(context, address(small))
    assert scenes_shown(page) == 7
    assert page.locator("form:visible, button:visible").count() == 0
    assert page.locator("table:visible").count() > 5
    context.close()


def test_a_table_is_sorted_by_keyboard_and_mouse(context: BrowserContext, small: Path) -> None:
    page = opened(context, address(small))
    region = page.get_by_role("region", name="Each model on each video")
    column = region.locator("tbody td:nth-child(5)")
    own = column.all_inner_texts()
    heading = region.get_by_role("columnheader", name="VLM time")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    # By the times themselves, not by their letters; what was not measured comes last.
    assert column.all_inner_texts() == ["9.00 s", "20.0 s", "1.5 min", "—"]
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert column.all_inner_texts() == ["1.5 min", "20.0 s", "9.00 s", "—"]
    assert heading.get_attribute("aria-sort") == "descending"
    region.get_by_role("button", name="Video").click()
    assert heading.get_attribute("aria-sort") is None
    videos = region.locator("tbody td:nth-child(2)").all_inner_texts()
    assert videos == [f"Cup final {ALERT}"] * 2 + ["Pasta"] * 2
    region.get_by_role("button", name="Video").click()
    region.get_by_role("button", name="Video").click()
    assert column.all_inner_texts() == own


TIMED_FILTER = """async ([name, value]) => {
  const field = document.querySelector(`[name=${name}]`);
  const started = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  const before = document.querySelector("output").value;
  while (document.querySelector("output").value === before) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - started;
}"""


def test_300_scenes_by_4_models_are_filtered_without_lag(
    context: BrowserContext, large: Path
) -> None:
    page = opened(context, address(large))
    assert found(page) == "300 scenes"
    assert page.locator(".said:visible").count() == 1200
    choices = (("words", "v3 7"), ("words", ""), ("video", "v2"), ("video", ""))
    took_ms = [page.evaluate(TIMED_FILTER, list(choice)) for choice in choices]
    assert found(page) == "300 scenes"
    # A typical one, so that a busy machine's worst moment does not count.
    assert sorted(took_ms)[1] < 700


def test_scenes_beyond_300_are_on_further_pages(context: BrowserContext, large: Path) -> None:
    page = opened(context, address(large))
    assert "5 more scenes of this video" in page.locator("#scenes-v1").inner_text()
    page.select_option("[name=video]", "v4")
    page.locator(".pages a").first.click()
    page.wait_for_url("**/scenes-2.html*")
    # The same look and the same filters, which go along.
    assert (found(page), scenes_shown(page)) == ("5 of 20 scenes", 5)
    assert page.locator(".scene:visible h4").all_inner_texts()[-1] == "Scene 80"
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".scene:visible")).to_have_count(20)
    assert page.locator(".scene:visible img").count() == 40
    page.get_by_role("link", name="The report", exact=True).click()
    page.wait_for_url("**/index.html")
    assert page.locator("h1").inner_text() == "Demo suite"


def test_a_report_of_300_scenes_and_4_models_takes_at_most_8_mb(large: Path) -> None:
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', large.read_text())
    assert len(pictures) == 601
    assert max(map(len, pictures)) <= 12_000 * 4 / 3
    assert large.stat().st_size <= 8_000_000


CUT_OFF = """() => [...document.querySelectorAll(".scroll, .chart")]
  .filter((box) => box.scrollWidth > box.clientWidth + 1).length"""
SMALLEST_LETTERS = """() => Math.min(...[...document.querySelectorAll(".chart svg text")]
  .filter((text) => text.checkVisibility() && text.textContent.trim())
  .map((text) => parseFloat(getComputedStyle(text).fontSize)
    * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)))"""


def test_on_a_phone_nothing_is_cut_off_and_charts_can_be_read(
    browser: Browser, small: Path
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True)
    page = opened(context, address(small))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CUT_OFF) == 0
    assert page.evaluate(SMALLEST_LETTERS) >= 8.5
    # A table's values stand beside the names of their columns, and can be sorted.
    region = page.get_by_role("region", name="Each model on each video")
    region.get_by_role("button", name="RTF", exact=True).click()
    assert region.locator("tbody tr").first.locator("td:nth-child(5)").inner_text() == "9.00 s"
    context.close()


def test_print_and_dark_leave_nothing_out(browser: Browser, small: Path) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 718, "height": 1000})
    page = opened(context, address(small))
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(20, 22, 26)"
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.locator("form:visible").count() == 0
    assert page.pdf(format="A4").count(b"/Subtype /Image") >= 13
    context.close()
