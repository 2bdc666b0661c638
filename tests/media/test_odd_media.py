"""Malformed and unusual files through base processing: a right result, or one clear line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import COLOURS
from helpers.odd_files import ALL, Odd
from helpers.projects import PLAIN_BASE, make_project, write_parameters

from kairos_lib.project import Project

TIME_LIMIT_S = 120
"""For all of them together; a quiet machine takes a tenth of it."""
RUNNER = Path(__file__).parents[1] / "helpers" / "odd_runner.py"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What came of each file, worked through one after the other in a process of their own."""
    root = tmp_path_factory.mktemp("odd")
    folder = root / "files"
    folder.mkdir()
    for odd in ALL:
        odd.make(folder / odd.name)
    project = make_project(root / "project")
    write_parameters(project, "base", "odd", {**PLAIN_BASE, "stages": ["scenes", "audio"]})
    try:
        answer = subprocess.run(
            [sys.executable, str(RUNNER), str(folder), "odd"],
            env={**os.environ, "KAIROS_ROOT": str(project.root)},
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        output = answer.stdout
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode()
    found: dict[str, dict[str, object]] = {}
    for line in output.splitlines():
        told = json.loads(line)
        found[told["file"]] = told
    return found


@pytest.mark.parametrize("odd", ALL, ids=lambda odd: odd.name.encode("unicode_escape").decode())
def test_an_odd_file_gives_a_right_result_or_one_clear_line(
    outcomes: dict[str, dict[str, object]], odd: Odd
) -> None:
    found = outcomes.get(odd.name, {"crash": "the process ended before this file"})
    assert "crash" not in found, found["crash"]
    assert "starts" not in found, "the process hung or died at this file"
    if odd.refused:
        assert odd.refused in str(found.get("refused")), found
        assert "\n" not in str(found["refused"])
        assert not found["done"]
        return
    assert found.get("done"), found
    fewest, most = odd.frames
    assert fewest <= found["frames"] <= most
    assert tuple(found["size"]) == odd.size
    if fewest == most:  # Of the others, the first frame may be lost; a palette may be coarse.
        assert np.abs(np.subtract(found["first"], COLOURS[0])).max() < 60
    scenes = found["scenes"]
    assert [s[1] for s in scenes[:-1]] == [s[0] for s in scenes[1:]]
    assert found["seconds"] == scenes[-1][1]
    if odd.seconds is not None:
        assert found["seconds"] == pytest.approx(odd.seconds, abs=0.011)
    if odd.scenes is not None:
        assert len(scenes) == odd.scenes
    if odd.sound_s is None:
        assert found["sound_s"] is None
    else:
        assert found["sound_s"] == pytest.approx(odd.sound_s, abs=0.13)
        assert found["hertz"] == pytest.approx(odd.hertz, abs=2)
    assert odd.told in str(found["told"])


def test_no_odd_file_takes_long_or_fills_the_memory(
    outcomes: dict[str, dict[str, object]],
) -> None:
    assert len(outcomes) == len(ALL)
    for name, found in outcomes.items():
        assert found["took_s"] < 10, name
        assert found["peak_mib"] < 1000, name


REFUSED_BY_COMMAND = (
    "cut-index-lost.mp4",
    "only-head.mp4",
    "only-sound.mp3",
    "still.png",
    "unknown-codec.mp4",
    "not a\nvideo 🎬 %s.mp4",
)


@pytest.mark.services
@pytest.mark.parametrize("name", REFUSED_BY_COMMAND, ids=ascii)
def test_the_command_refuses_a_bad_file_in_one_line_and_runs_nothing(
    small: Project, tmp_path: Path, name: str
) -> None:
    (odd,) = [odd for odd in ALL if odd.name == name]
    path = tmp_path / "files" / name
    path.parent.mkdir()
    odd.make(path)
    answer = subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", "bench", "--model", "tiny", "--video", str(path)],
        cwd=small.root,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert answer.returncode == 2, answer.stdout
    (line,) = answer.stderr.splitlines()
    assert odd.refused in line
    assert not list(small.runs.glob("**/result.json"))
    assert not list(small.runs.glob("**/status.json"))
