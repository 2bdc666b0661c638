"""What a bench shows, on a terminal and in a log."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from kairos_lib.bench.display import LiveDisplay, PlainDisplay, display
from kairos_lib.runs.status import Progress, Status

DONE = Status(state="done", time_s=12.3)
FAILED = Status(state="failed", reason="oom", message="no room for [a] batch", time_s=1.0)


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_every_notebook_leaves_one_line_on_how_it_ended(terminal: bool) -> None:
    out = console(terminal)
    with display(out) as live:
        for number, status in enumerate((DONE, FAILED), start=1):
            row = live.begin(number, 2, f"nano · video {number}")
            for step in ("load", "single-stream", "offline"):
                for done in range(3):
                    row.update(Progress(step=step, done=done, total=3))
            row.end(status)
    text = shown(out)
    assert "1/2 nano · video 1 · 12.3 s" in text
    assert "2/2 nano · video 2 · oom: no room for [a] batch" in text


def test_a_terminal_gets_the_live_display_and_a_pipe_gets_lines() -> None:
    assert isinstance(display(console(True)), LiveDisplay)
    assert isinstance(display(console(False)), PlainDisplay)


def test_a_long_step_does_not_fill_a_log() -> None:
    out = console(False)
    with display(out) as plain:
        row = plain.begin(1, 1, "nano · long")
        for done in range(3000):
            row.update(Progress(step="offline", done=done, total=3000))
    assert len(shown(out).splitlines()) <= 3


def test_a_live_display_says_which_notebook_and_which_scene_of_how_many(tmp_path: Path) -> None:
    out = console(True)
    with display(out) as live:
        row = live.begin(3, 7, "nano · video")
        row.update(Progress(step="offline", done=5, total=12))
        assert isinstance(live, LiveDisplay)
        live.bars.refresh()
    text = shown(out)
    assert "3/7" in text
    assert "5/12" in text
    assert "offline" in text


def test_notebooks_that_run_at_once_have_a_line_each() -> None:
    out = console(True)
    with display(out) as live:
        rows = [live.begin(number, 2, f"nano · video {number}") for number in (1, 2)]
        for number, row in enumerate(rows):
            row.update(Progress(step="offline", done=number + 3, total=12))
        assert isinstance(live, LiveDisplay)
        live.bars.refresh()
        for row in rows:
            row.end(DONE)
    text = shown(out)
    for words in ("3/12", "4/12", "1/2 nano · video 1 · 12.3 s", "2/2 nano · video 2 · 12.3 s"):
        assert words in text


def test_a_gpu_that_is_not_given_back_is_told() -> None:
    out = console(False)
    with display(out) as plain:
        plain.begin(1, 1, "nano").end(DONE.model_copy(update={"vram_kept_mib": 2048.0}))
    assert "the GPU still holds 2.0 GiB more than before" in shown(out)
