from pathlib import Path

import pytest

from kairos_lib.media import audio
from kairos_lib.media.video import probe
from kairos_lib.records import Span
from kairos_lib.settings import Base
from kairos_lib.stages import vad
from kairos_lib.stages.stage import Context
from kairos_lib.weights import Found

CLIP = Path(__file__).parents[2] / "kairos_lib/nano/clips/demo-speech.mp4"


def spans(folder: Path) -> list[Span]:
    context = Context(
        video=CLIP, facts=probe(CLIP, "0"), profile=Base(name="b", title="B"), folder=folder,
        weights=Found("none"), transcripts=folder,
    )  # fmt: skip
    return list(vad.Analyzer(context).run())


@pytest.mark.parametrize("block_s", [7.0, 11.5, 20.0])
def test_speech_found_block_by_block_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_s: float
) -> None:
    """A long recording is looked at in blocks, whose edges may fall into a sentence."""
    audio.extract(CLIP, tmp_path / "audio.wav")
    whole = spans(tmp_path)
    assert len(whole) >= 4
    monkeypatch.setattr(vad, "BLOCK_S", block_s)
    in_blocks = spans(tmp_path)
    assert [s.start_s for s in in_blocks] == pytest.approx([s.start_s for s in whole], abs=0.15)
    assert [s.end_s for s in in_blocks] == pytest.approx([s.end_s for s in whole], abs=0.15)
