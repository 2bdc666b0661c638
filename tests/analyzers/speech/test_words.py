"""Times of words: off unless asked for, within the voice, and nowhere but in what was heard."""

import pytest
from pydantic import ValidationError

from kairos_lib.analyzers.speech import Analyzer
from kairos_lib.analyzers.speech.local import _Line, _segments
from kairos_lib.analyzers.speech.segment import Segment, Word
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.speech.windows import Window
from kairos_lib.analyzers.vad import Span


def word(start_s: float, end_s: float, text: str = "word") -> Word:
    return Word(start_s=start_s, end_s=end_s, text=text, probability=0.9)


def test_settings_and_records_without_them_are_what_they_were() -> None:
    """Keys of runs and files of results are made of these."""
    assert "word_times" not in SpeechSettings().model_dump(mode="json")
    assert SpeechSettings(word_times=True).model_dump(mode="json")["word_times"] is True
    plain = Segment(scene=0, start_s=1.0, end_s=2.0, text="word")
    assert plain.written() == b'{"scene":0,"start_s":1.0,"end_s":2.0,"text":"word"}'
    spoken = plain.model_copy(update={"words": (word(1.0, 2.0),)})
    assert Segment.read(spoken.written()) == spoken


def test_exports_and_prompts_have_sentences_alone() -> None:
    spoken = Segment(scene=0, start_s=1, end_s=2, text="word", words=(word(1.0, 2.0),))
    (exported,) = Analyzer.exported_data([spoken])["segments"]
    assert exported == spoken.without_words()
    assert Analyzer.scene_data([spoken])["segments"] == (spoken,)


@pytest.mark.parametrize("engine", ["openai", "azure"])
def test_a_service_that_gives_none_is_refused(engine: str) -> None:
    with pytest.raises(ValidationError, match="word_times needs engine faster-whisper"):
        SpeechSettings.model_validate({"engine": engine, "word_times": True})


def test_a_word_has_the_times_of_the_film_and_not_those_of_a_pause() -> None:
    # Voice from 10 to 12 and from 14 to 16 s.
    spans = (Span(start_s=10.0, end_s=12.0), Span(start_s=14.0, end_s=16.0))
    window = Window(10.0, 16.0, spans)
    # The second word drags on through the pause; the third begins in it, as models have it.
    said = (word(0.2, 0.6), word(1.5, 3.8), word(2.5, 4.4), word(5.8, 7.0), word(2.4, 2.6))
    (segment,) = _segments(window, [_Line(0.2, 6.0, " a b c d e ", said)])
    assert (segment.start_s, segment.end_s) == pytest.approx((10.2, 16.0))
    times = [(one.start_s, one.end_s) for one in segment.words]
    assert times[0] == pytest.approx((10.2, 10.6))
    assert times[1] == pytest.approx((11.5, 12.0))
    assert times[2] == pytest.approx((14.0, 14.4))
    assert times[3] == pytest.approx((15.8, 16.0))
    # One that is wholly in a pause is left where it is.
    assert times[4] == pytest.approx((12.4, 12.6))
