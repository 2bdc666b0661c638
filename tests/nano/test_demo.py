"""The nano set together: all that is said of a demo clip, held against what is in it."""

from pathlib import Path

import pytest

from kairos_lib.analyzers.profile import Base
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.parameters.loading import load
from kairos_lib.project import Project
from workshop.nano.score import PARTS, PROFILE
from workshop.nano.unseen import Processed, process

CHECKOUT = Project(Path(__file__).resolve().parents[2])


@pytest.fixture(scope="module")
def match(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    """A demo clip after all four stages of base processing."""
    truth = ClipTruth.of_demo("demo-match")
    profile = load(CHECKOUT, Base, PROFILE)
    return process(CLIPS / "demo-match.mp4", truth, profile, tmp_path_factory.mktemp("match"))


@pytest.mark.parametrize("part", PARTS)
def test_what_is_said_of_a_demo_clip_is_true(match: Processed, part: str) -> None:
    lines = PARTS[part]([match], load(CHECKOUT, Base, PROFILE))
    assert any(line.target is not None for line in lines)
    assert [line for line in lines if line.missed] == []
