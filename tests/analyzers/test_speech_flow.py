"""The pace of speech whose words have known times."""

import itertools
from pathlib import Path

import pytest
from helpers.clips import write_clip
from helpers.projects import write_parameters

from kairos_lib.analyzers.speech.segment import Segment, Word
from kairos_lib.analyzers.speech_flow import (
    Analyzer,
    SceneFlow,
    SpeechFlowSettings,
    flow,
    share,
    total,
)
from kairos_lib.media.scene import Scene
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.pool import Key, Pool
from kairos_lib.pipeline.records import StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.weights.location import NANO


def sentence(start_s: float, words: int, each_s: float = 0.4, timed: bool = True) -> Segment:
    """Words one right after another."""
    times = [(start_s + n * each_s, start_s + (n + 1) * each_s) for n in range(words)]
    said = [Word(start_s=a, end_s=b, text="word", probability=1.0) for a, b in times]
    return Segment(
        scene=-1,
        start_s=start_s,
        end_s=start_s + words * each_s,
        text=" ".join(["word"] * words),
        words=tuple(said) if timed else (),
    )


def scenes(*edges_s: float) -> list[Scene]:
    pairs = enumerate(itertools.pairwise(edges_s))
    return [Scene(index=n, start_s=start_s, end_s=end_s) for n, (start_s, end_s) in pairs]


def measured(segments: list[Segment], *edges_s: float, **settings: float) -> list[SceneFlow]:
    return list(flow(segments, scenes(*edges_s), SpeechFlowSettings(**settings)))


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("each_s", [0.25, 0.4, 0.6])
def test_even_words_have_their_rate(timed: bool, each_s: float) -> None:
    (scene,) = measured([sentence(2.0, 30, each_s, timed)], 0, 60)
    assert scene.speaking_wpm == pytest.approx(60 / each_s)
    assert scene.articulation_wpm == pytest.approx(60 / each_s)
    assert (scene.words, scene.pauses, scene.by_words) == (30, 0, timed)
    assert share([scene]) == pytest.approx(30 * each_s / 60)


def test_pauses_slow_the_speaking_but_not_the_articulation() -> None:
    # 20 words of 0.4 s and a second in between; the next after 0.2 s, which is no pause.
    segments = [sentence(0.0, 10), sentence(5.0, 10), sentence(9.2, 5)]
    (scene,) = measured(segments, 0, 20)
    (passage,) = scene.passages
    assert passage.pauses_at == ((pytest.approx(4.0), pytest.approx(5.0)),)
    assert scene.spoken_s == pytest.approx(11.2)
    assert scene.speaking_wpm == pytest.approx(60 * 25 / 11.2)
    assert scene.articulation_wpm == pytest.approx(60 * 25 / 10.2)
    (scene,) = measured(segments, 0, 20, pause_s=0.1)
    assert scene.pauses == 2


def test_silence_is_no_part_of_a_rate() -> None:
    (scene,) = measured([sentence(0.0, 10), sentence(30.0, 10)], 0, 40)
    assert [one.start_s for one in scene.passages] == [0, 30]
    assert scene.speaking_wpm == pytest.approx(150)
    assert share([scene]) == pytest.approx(8 / 40)


def test_a_sentence_across_a_cut_is_shared_by_the_scenes_and_named() -> None:
    # Ten words from 2 to 6, a cut in the middle of the sixth; the next cut is between sentences.
    segments = [sentence(2.0, 10), sentence(8.0, 10)]
    one, two, three = measured(segments, 0, 4.1, 7, 12)
    assert (one.runs_on, two.runs_on, three.runs_on) == (True, False, False)
    assert (one.words, two.words, three.words) == (5, 5, 10)
    assert one.spoken_s + two.spoken_s + three.spoken_s == pytest.approx(12 - 2)
    assert total([one, two, three]).speaking_wpm == pytest.approx(60 * 20 / 10)
    assert Analyzer.figures([one, two, three])["Cuts within sentences"] == "1 of 2"
    assert "a sentence runs on across the cut" in Analyzer.view([one])
    assert "runs on" not in Analyzer.view([two])


def test_a_cut_at_the_edge_of_a_sentence_is_not_across_it() -> None:
    one, _ = measured([sentence(2.0, 10)], 0, 5.9, 10)
    assert not one.runs_on


def test_a_cut_in_a_pause_splits_the_pause() -> None:
    one, two = measured([sentence(0.0, 10), sentence(5.0, 10)], 0, 4.6, 10)
    assert [p for one in (one, two) for x in one.passages for p in x.pauses_at] == [
        (pytest.approx(4.0), pytest.approx(4.6)),
        (pytest.approx(4.6), pytest.approx(5.0)),
    ]
    assert one.articulation_wpm == two.articulation_wpm == pytest.approx(150)


@pytest.mark.parametrize("edges_s", [(0, 4.6, 10), (0, 4.4, 4.8, 10)])
def test_a_pause_that_cuts_divide_is_one_pause_of_the_video_and_one_of_each_scene(
    edges_s: tuple[float, ...],
) -> None:
    """Whether the scenes meet in it or one of them is nothing but that pause."""
    records = measured([sentence(0.0, 10), sentence(5.0, 10)], *edges_s)
    assert [records[0].pauses, records[-1].pauses] == [1, 1]
    assert total(records).pauses == 1
    assert Analyzer.figures(records)["Pauses"] == "1"
    assert total(records[-1:]).pauses == 1


def test_what_needs_no_model_is_loaded_once_all_the_same() -> None:
    pool = Pool(1)
    key = Key("speech_flow", "", "identity", "cpu")
    for _ in range(2):
        with pool.using(key, 0, lambda: Analyzer.load(None, Path(), "cpu")):
            pass
    assert (pool.loads, pool.hits) == (1, 1)


def test_a_scene_without_speech_has_a_record_and_nothing_to_say() -> None:
    one, two = measured([sentence(1.0, 10)], 0, 10, 20)
    assert (two.words, two.spoken_s, two.speaking_wpm, two.passages) == (0, 0, None, ())
    assert Analyzer.view([two]) == Analyzer.prompt_line([two]) == ""
    assert Analyzer.prompt_line([one]) == "Pace of speech: 150 words per minute, no pauses"
    assert Analyzer.figures([one, two])["Time with speech"] == "20%"
    assert measured([], 0, 5)[0].words == 0


def test_a_word_or_two_have_no_rate() -> None:
    (scene,) = measured([sentence(1.0, 2)], 0, 10)
    assert scene.speaking_wpm is None
    assert Analyzer.view([scene]) == "2 words, speech in 8% of the time"
    assert Analyzer.prompt_line([scene]) == ""
    assert Analyzer.figures([scene]) == {"Time with speech": "8%"}


def test_sentences_without_times_of_words_are_told_as_such() -> None:
    (scene,) = measured([sentence(0.0, 10, timed=False), sentence(5.0, 10, timed=False)], 0, 10)
    assert Analyzer.view([scene]) == (
        "133 words/min (150 without pauses; by sentences), 20 words, "
        "speech in 90% of the time, 1 pause of 1.0 s in all"
    )


def test_the_lane_is_as_high_as_speech_is_fast() -> None:
    records = measured([sentence(0.0, 10), sentence(30.0, 20, 0.2), sentence(50.0, 1)], 0, 60)
    marks = Analyzer.marks(records)
    assert [(mark.text, mark.level) for mark in marks] == [
        ("150 words/min", pytest.approx(0.5)),
        ("300 words/min", pytest.approx(1.0)),
        ("a few words", 0.0),
    ]


@pytest.mark.parametrize("timed", [True, False])
def test_a_word_that_is_longer_than_its_scene_is_speech_in_all_of_it_and_no_more(
    timed: bool,
) -> None:
    before, scene, after = measured([sentence(0.0, 1, 10.0, timed)], 0, 4, 6, 10)
    (passage,) = scene.passages
    assert (passage.start_s, passage.end_s) == (4, 6)
    assert share([scene]) == 1
    assert before.passages == after.passages == ()


def test_words_that_overlap_are_no_pause() -> None:
    longer = sentence(0.0, 1, 5.0)
    (scene,) = measured([longer, sentence(1.0, 5), sentence(5.1, 5)], 0, 10)
    assert scene.pauses == 0
    assert scene.spoken_s == pytest.approx(7.1)


def run(video: Path, project: Project, weights: Path = NANO / "whisper") -> BaseSession:
    speech = {"language": "en", "weights": {"source": "path", "id": str(weights)}}
    profile = {"title": "Flow", "stages": ["speech_flow"], "speech": speech}
    write_parameters(project, "base", "flow", profile)
    session = BaseSession.open(str(video), "flow")
    session.process()
    return session


@pytest.mark.services
def test_a_clip_whose_words_are_known_has_its_rate(project: Project) -> None:
    said = ClipTruth.of_demo("demo-match").utterances
    seconds = sum(one.end_s - one.start_s for one in said)
    true_wpm = 60 * sum(len(one.text.split()) for one in said) / seconds
    session = run(CLIPS / "demo-match.mp4", project)
    records = list(Journal(session.run.file("speech_flow.jsonl"), SceneFlow))
    assert [one.scene for one in records] == list(range(12))
    assert total(records).speaking_wpm == pytest.approx(true_wpm, rel=0.05)
    assert sum(one.spoken_s for one in records) == pytest.approx(seconds, rel=0.05)
    assert not any(one.by_words for one in records)


def test_where_speech_has_no_weights_nobody_says_that_there_is_none(
    project: Project, clip: Path, tmp_path: Path
) -> None:
    session = run(clip, project, tmp_path / "nowhere")
    report = read_record(session.run.file("speech_flow.json"), StageReport)
    assert report is not None
    assert report.state == "skipped"
    assert "there are no weights" in report.reason


def test_a_tone_is_no_speech_and_a_film_without_sound_is_not_listened_to(
    project: Project, tmp_path: Path
) -> None:
    tone = run(write_clip(tmp_path / "tone.mp4", [(200, 30, 30)]), project)
    (scene,) = Journal(tone.run.file("speech_flow.jsonl"), SceneFlow)
    assert scene.words == 0
    mute = run(write_clip(tmp_path / "mute.mp4", [(200, 30, 30)], tone=False), project)
    report = read_record(mute.run.file("speech_flow.json"), StageReport)
    assert report is not None
    assert (report.state, report.reason) == ("skipped", "the video has no audio stream")
