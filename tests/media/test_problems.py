"""What the reader is told of a file that is not quite whole."""

from pathlib import Path

import pytest
from helpers.films import Film
from helpers.odd_files import ALL

from kairos_lib.media.problems import problems
from kairos_lib.media.video import VideoFile, probe


def told(path: Path) -> tuple[str, ...]:
    facts = probe(path, "")
    video = VideoFile(path)
    last = list(video.frames())[-1]
    return problems(facts, facts.end_s(last.time_s + 0.1), video.broken, broken_sound=0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut-half.mkv", "lasts 2.0 s but ends at"),
        ("garbled-group.mp4", "damaged pictures: "),
        ("two-recordings.ts", "jumps in its time stamps: 1"),
    ],
)
def test_what_is_wrong_with_a_film_is_told(tmp_path: Path, name: str, words: str) -> None:
    (odd,) = [odd for odd in ALL if odd.name == name]
    (tmp_path / "files").mkdir()
    odd.make(tmp_path / "files" / name)
    assert words in "; ".join(told(tmp_path / "files" / name))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "h264", "flv"])
def test_nothing_is_told_of_a_healthy_film(tmp_path: Path, suffix: str) -> None:
    assert told(Film().write(tmp_path / f"a.{suffix}")) == ()
