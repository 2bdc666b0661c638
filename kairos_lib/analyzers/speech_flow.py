"""Speech flow: how fast is spoken, with which pauses, and whether cuts interrupt it.

Counts the words of `speech`; hears nothing itself.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.marks import Mark
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.media.scene import Scene
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


class SpeechFlowSettings(Settings):
    """Pace and pauses of speech."""

    pause_s: float = Field(0.3, ge=0, allow_inf_nan=False)
    """Shortest pause that is counted; times of words are good to about a tenth of a second."""
    silence_s: float = Field(2.0, gt=0, allow_inf_nan=False)
    """A longer one is no pause but the end of a passage, and no part of any rate."""


RATED_WORDS = 3
RATED_S = 1.0
"""Of fewer words, or in less time, a rate is chance."""
CUT_S = 0.2
"""A sentence that ends or begins within this time of a cut does not run across it."""
FASTEST_WPM = 300
"""Top of the lane; few people are understood at this rate."""


class Pace(Record):
    """How fast some speech is."""

    words: int
    spoken_s: float
    """With its pauses, without silence between passages."""
    paused_s: float
    pauses: int
    speaking_wpm: float | None
    """Words per minute of `spoken_s`; None for too little speech to tell."""
    articulation_wpm: float | None
    """Words per minute without the pauses."""


class Passage(Pace):
    """Speech without a silence, as far as it is in one scene."""

    start_s: float
    end_s: float
    pauses_at: tuple[tuple[float, float], ...]
    """Start and end of each pause."""


class SceneFlow(Pace):
    """The speech of one scene, which may have none."""

    scene: int
    start_s: float
    """Of the scene."""
    end_s: float
    passages: tuple[Passage, ...]
    runs_on: bool
    """Whether a sentence runs across the cut at the scene's end."""
    by_words: bool
    """Whether words have times of their own. If not, those of a sentence are spread evenly over it,
    and only pauses between sentences are known."""


class _Spoken(NamedTuple):
    """A word, or the time that one takes in an even sentence."""

    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        """It belongs to the scene that this is in."""
        return (self.start_s + self.end_s) / 2


class _Talk(NamedTuple):
    """A passage before it is cut into scenes."""

    words: list[_Spoken]
    """By their middles."""
    middles_s: list[float]
    reached_s: list[float]
    """The end of all words up to each."""

    @classmethod
    def of(cls, words: list[_Spoken]) -> _Talk:
        """With what is looked up in it."""
        ends_s = itertools.accumulate((word.end_s for word in words), max)
        return cls(words, [word.middle_s for word in words], list(ends_s))


class Analyzer(Stage):
    """Reads what `speech` wrote."""

    name: ClassVar[str] = "speech_flow"
    version: ClassVar[int] = 2
    record: ClassVar[type[Record]] = SceneFlow
    settings: ClassVar[type[Settings]] = SpeechFlowSettings
    heading: ClassVar[str] = "Pace of speech"
    nothing: ClassVar[str] = "no speech"
    not_run: ClassVar[str] = "not measured"
    needs: ClassVar[tuple[str, ...]] = ("scenes", "speech")

    @classmethod
    def prompt_line(cls, records: Sequence[SceneFlow]) -> str:
        """The rate in words per minute, and how many pauses."""
        pace = total(records)
        if pace.speaking_wpm is None:
            return ""
        return f"Pace of speech: {pace.speaking_wpm:.0f} words per minute, {_pauses(pace)}"

    @classmethod
    def view(cls, records: Sequence[SceneFlow]) -> str:
        """Rates, pauses, share of the time, and sentences that cuts interrupt."""
        pace = total(records)
        if not pace.words:
            return ""
        parts = [f"{pace.words} words", f"speech in {share(records):.0%} of the time"]
        if pace.speaking_wpm is not None and pace.articulation_wpm is not None:
            rates = f"{pace.speaking_wpm:.0f} words/min ({pace.articulation_wpm:.0f} without pauses"
            parts.insert(0, rates + ("" if _by_words(records) else "; by sentences") + ")")
            parts.append(
                _pauses(pace) + (f" of {pace.paused_s:.1f} s in all" if pace.pauses else "")
            )
        if any(one.runs_on for one in records):
            parts.append("a sentence runs on across the cut")
        return ", ".join(parts)

    @classmethod
    def marks(cls, records: Sequence[SceneFlow]) -> Sequence[Mark]:
        """Passages, the higher the faster; one that is too short for a rate is flat."""
        return [
            Mark(
                one.start_s,
                one.end_s,
                f"{one.speaking_wpm:.0f} words/min" if one.speaking_wpm else "a few words",
                level=min(1.0, (one.speaking_wpm or 0.0) / FASTEST_WPM),
            )
            for scene in records
            for one in scene.passages
        ]

    @classmethod
    def figures(cls, records: Sequence[SceneFlow]) -> Mapping[str, str]:
        """Of the whole video."""
        pace = total(records)
        found = {"Time with speech": f"{share(records):.0%}"}
        if pace.speaking_wpm is not None and pace.articulation_wpm is not None:
            found["Speaking rate"] = f"{pace.speaking_wpm:.0f} words/min"
            found["Without pauses"] = f"{pace.articulation_wpm:.0f} words/min"
            found["Pauses"] = f"{pace.pauses}"
        if len(records) > 1:
            crossed = sum(one.runs_on for one in records)
            found["Cuts within sentences"] = f"{crossed} of {len(records) - 1}"
        return found

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """Those of `speech`: where they are missing, it has not heard whether there is any."""
        own: SpeechSettings = profile.speech
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """As `speech` does."""
        own: SpeechSettings = profile.speech
        return own.engine == "faster-whisper"

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> bool:
        """No model: only what `speech` wrote is read.

        Not None, which the pool of models takes for a failed load: it would keep nothing and call
        this again for every video.
        """
        return True

    def skip(self) -> str:
        """There must be speech to count."""
        if self.context.profile.speech.engine == "none":
            return "the base profile says speech.engine: none"
        return self.silent()

    def run(self) -> Iterator[SceneFlow]:
        """Yield one record for each scene, silent ones included."""
        settings: SpeechFlowSettings = self.context.profile.speech_flow
        segments = list(Journal(self.context.folder / "speech.jsonl", Segment))
        yield from flow(segments, self.context.scenes(), settings)


def flow(
    segments: Sequence[Segment], scenes: Sequence[Scene], settings: SpeechFlowSettings
) -> Iterator[SceneFlow]:
    """Measure the speech of each scene.

    Args:
        segments: Of the whole video, in any order.
        scenes: All of them, in order.
        settings: What counts as a pause.
    """
    spoken = itertools.chain.from_iterable(map(_words, segments))
    talks = list(_talks(sorted(spoken, key=lambda word: word.middle_s), settings.silence_s))
    by_words = all(segment.words for segment in segments)
    for scene in scenes:
        pieces = (_piece(talk, scene, settings.pause_s) for talk in talks)
        own = [piece for piece in pieces if piece is not None]
        crossed = scene is not scenes[-1] and any(
            one.start_s < scene.end_s - CUT_S and one.end_s > scene.end_s + CUT_S
            for one in segments
        )
        yield SceneFlow(
            **_sum(own),
            scene=scene.index,
            start_s=scene.start_s,
            end_s=scene.end_s,
            passages=tuple(own),
            runs_on=crossed,
            by_words=by_words,
        )


def total(records: Sequence[SceneFlow]) -> Pace:
    """The pace of several scenes together, in which a pause that a cut divides is one."""
    return Pace(**_sum(records, _divided(records)))


def share(records: Sequence[SceneFlow]) -> float:
    """Share of the scenes' time in which there is speech, its pauses included."""
    length_s = sum(one.end_s - one.start_s for one in records)
    return sum(one.spoken_s for one in records) / length_s if length_s > 0 else 0.0


def _words(segment: Segment) -> Iterator[_Spoken]:
    """The times of a sentence's words."""
    if segment.words:
        yield from (_Spoken(word.start_s, word.end_s) for word in segment.words)
        return
    count = len(segment.text.split())
    each_s = (segment.end_s - segment.start_s) / max(1, count)
    for number in range(count):
        start_s = segment.start_s + number * each_s
        yield _Spoken(start_s, start_s + each_s)


def _talks(spoken: Sequence[_Spoken], silence_s: float) -> Iterator[_Talk]:
    """Words, joined as long as there is no silence between them."""
    words: list[_Spoken] = []
    end_s = 0.0
    for word in spoken:
        if words and word.start_s - end_s > silence_s:
            yield _Talk.of(words)
            words = []
        end_s = max(end_s, word.end_s) if words else word.end_s
        words.append(word)
    if words:
        yield _Talk.of(words)


def _piece(talk: _Talk, scene: Scene, pause_s: float) -> Passage | None:
    """The part of a passage whose words are in a scene; None if none are."""
    words = talk.words
    first, last = (bisect_left(talk.middles_s, edge) for edge in (scene.start_s, scene.end_s))
    if first >= last:
        return None
    # A passage that goes on over a cut fills the scene up to it, in a pause as well.
    begun_s = min(word.start_s for word in words[first:last])
    # Of one that does not, the first or the last word may still reach beyond the scene.
    start_s = scene.start_s if first > 0 else max(begun_s, scene.start_s)
    end_s = scene.end_s if last < len(words) else min(talk.reached_s[-1], scene.end_s)
    pauses = []
    until_s = talk.reached_s[first - 1] if first > 0 else begun_s
    for word in sorted(words[first : last + 1]):
        gap = (max(until_s, start_s), min(word.start_s, end_s))
        if word.start_s - until_s >= pause_s and gap[0] < gap[1]:
            pauses.append(gap)
        until_s = max(until_s, word.end_s)
    paused_s = sum(end - start for start, end in pauses)
    return Passage(
        **_rated(last - first, end_s - start_s, paused_s, len(pauses)),
        start_s=start_s,
        end_s=end_s,
        pauses_at=tuple(pauses),
    )


def _divided(records: Sequence[SceneFlow]) -> int:
    """How many pauses are in two of these scenes, each with its part of them."""
    passages = [passage for record in records for passage in record.passages]
    return sum(
        # A passage never begins or ends in a pause of its own.
        any(end_s == one.end_s for _, end_s in one.pauses_at)
        and any(start_s == following.start_s for start_s, _ in following.pauses_at)
        for one, following in itertools.pairwise(passages)
    )


def _sum(parts: Sequence[Pace], counted_twice: int = 0) -> dict[str, Any]:
    return _rated(
        sum(one.words for one in parts),
        sum(one.spoken_s for one in parts),
        sum(one.paused_s for one in parts),
        sum(one.pauses for one in parts) - counted_twice,
    )


def _rated(words: int, spoken_s: float, paused_s: float, pauses: int) -> dict[str, Any]:
    """The fields of a pace."""
    enough = words >= RATED_WORDS and spoken_s - paused_s >= RATED_S
    return {
        "words": words,
        "spoken_s": spoken_s,
        "paused_s": paused_s,
        "pauses": pauses,
        "speaking_wpm": 60 * words / spoken_s if enough else None,
        "articulation_wpm": 60 * words / (spoken_s - paused_s) if enough else None,
    }


def _by_words(records: Sequence[SceneFlow]) -> bool:
    return all(one.by_words for one in records)


def _pauses(pace: Pace) -> str:
    return "1 pause" if pace.pauses == 1 else f"{pace.pauses or 'no'} pauses"
