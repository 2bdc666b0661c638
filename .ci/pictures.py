"""The README's pictures, from the demo's report: `.venv/bin/python .ci/pictures.py`.

Wants Debian's chromium and poppler-utils, and the demo in three rounds:
`make bench SUITE=demo REPEATS=3`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from kairos_lib.project import Project

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PHONE_SCALE = 1.5
PAPER = "A4"
PAPER_WIDTH_PX = 911
COLOURS = 128
"""A page has few: as a palette, a picture takes a third of the bytes."""


def main() -> int:
    """Write `docs/report*.png`."""
    project = Project.find()
    page = (project.reports / "demo" / "index.html").as_uri()
    chromium, pdftoppm = shutil.which("chromium"), shutil.which("pdftoppm")
    if chromium is None or pdftoppm is None:
        sys.exit("chromium and pdftoppm are needed: apt-get install chromium poppler-utils")
    docs = project.root / "docs"
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)

        def open_page(**options: Any) -> Any:
            opened = browser.new_context(**options).new_page()
            opened.goto(page)
            return opened

        open_page(viewport=DESKTOP).screenshot(path=docs / "report.png")
        open_page(viewport=DESKTOP, color_scheme="dark").screenshot(path=docs / "report-dark.png")
        phone = open_page(viewport=PHONE, device_scale_factor=PHONE_SCALE)
        phone.screenshot(path=docs / "report-phone.png")
        printed = Path(folder) / "report.pdf"
        open_page().pdf(path=printed, format=PAPER, print_background=True)
        browser.close()
        subprocess.run(
            [
                *(pdftoppm, "-png", "-singlefile", "-l", "1", "-scale-to-x", str(PAPER_WIDTH_PX)),
                *("-scale-to-y", "-1", printed, docs / "report-print"),
            ],
            check=True,
        )
    for picture in docs.glob("report*.png"):
        Image.open(picture).convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
