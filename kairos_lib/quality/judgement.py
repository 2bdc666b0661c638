"""One model's captions of one video, judged. Knows nothing of runs or pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kairos_lib.quality import likeness
from kairos_lib.quality.language import language
from kairos_lib.quality.likeness import Corpus, rouge_l
from kairos_lib.quality.objects import Vocabulary
from kairos_lib.quality.reference_captions import Reference
from kairos_lib.quality.refusals import refuses
from kairos_lib.quality.sample import NONE, Sample
from kairos_lib.quality.synthetic_world import AttributeScores, known
from kairos_lib.quality.wording import distinct, repeated, words


@dataclass(frozen=True)
class SceneCaption:
    """The caption of a scene, and the objects detected in it."""

    scene: int
    text: str
    truncated: bool = False
    """Cut off by the limit on new tokens."""
    detected: frozenset[str] = frozenset()
    """Labels of the objects."""


@dataclass(frozen=True)
class Judged:
    """Measures of a model's captions of a video; shares are from 0 to 1.

    A sample without scenes is a number that was not measured.
    """

    captions: int = 0
    """Scenes with a caption, empty ones included; a scene whose captioning failed has none."""
    words: Sample = NONE
    """Mean per caption."""
    repeated: Sample = NONE
    """Mean share of four-word runs that occurred before in the same caption."""
    distinct_2: float | None = None
    """Distinct word pairs by word pairs, over all captions."""
    same: Sample = NONE
    """Share of captions that are identical to another scene's; empty ones excluded."""
    language: str | None = None
    """Language of most captions, of those long enough to detect it; ISO 639-1."""
    in_language: Sample = NONE
    """Share of captions in it, of those long enough to detect it."""
    refusals: Sample = NONE
    cut_off: Sample = NONE
    empty: Sample = NONE
    named: Sample = NONE
    """Share of the kinds of object detected in a scene that its caption names."""
    unseen: Sample = NONE
    """Share of the kinds of object named by a caption that were not detected in its scene."""
    objects: Sample = NONE
    """Both combined: twice the kinds both named and detected by all named plus all detected
    (F1)."""
    agreement: Sample = NONE
    """Mean similarity (ROUGE-L's F1) to the other models' captions of the same scene."""
    rouge_l: Sample = NONE
    """Mean ROUGE-L against the references."""
    attributes: Sample = NONE
    """Share of the facts of a synthetic scene that its caption states."""
    by_attribute: AttributeScores | None = None
    """The same, by attribute."""
    corpus: Corpus | None = None
    """BLEU and chrF against the references."""
    without_reference: int = 0
    """Scenes with a caption but no reference, if the video has references."""


def judge(
    video: str,
    said: Sequence[SceneCaption],
    vocabulary: Vocabulary | None = None,
    references: Mapping[int, Reference] | None = None,
    agreement: Mapping[int, float] | None = None,
) -> Judged:
    """Judge the captions of one video by one model.

    Args:
        video: Its name, which identifies it in samples of several videos.
        said: Each scene that has a caption, once.
        vocabulary: What the detector knows; None if objects were not detected.
        references: For the scenes that have one; None if the video has no references.
        agreement: For each scene, with the other models; see `agreements`.
    """
    worded = [(one, words(one.text)) for one in said]
    runs = [(one.scene, repeated(each)) for one, each in worded]

    def share(right: Callable[[SceneCaption], bool]) -> Sample:
        return Sample.of(video, ((one.scene, float(right(one)), 1) for one in said))

    spoken, in_language = _language(video, said)
    named, unseen, objects = _objects(video, said, vocabulary)
    compared = [one for one in said if references and one.scene in references]
    alike, attributes, by_attribute, corpus = _against(video, compared, references or {})
    return Judged(
        captions=len(said),
        words=Sample.of(video, ((one.scene, len(each), 1) for one, each in worded)),
        repeated=Sample.of(video, ((at, run, 1) for at, run in runs if run is not None)),
        distinct_2=distinct(each for _, each in worded),
        same=_same(video, worded),
        language=spoken,
        in_language=in_language,
        refusals=share(lambda one: refuses(one.text)),
        cut_off=share(lambda one: one.truncated),
        empty=share(lambda one: not one.text.strip()),
        named=named,
        unseen=unseen,
        objects=objects,
        agreement=Sample.of(video, ((at, value, 1) for at, value in (agreement or {}).items())),
        rouge_l=alike,
        attributes=attributes,
        by_attribute=by_attribute,
        corpus=corpus,
        without_reference=len(said) - len(compared) if references is not None else 0,
    )


def _same(video: str, worded: Iterable[tuple[SceneCaption, Sequence[str]]]) -> Sample:
    texts = {one.scene: " ".join(each) for one, each in worded if each}
    counts = Counter(texts.values())
    return Sample.of(video, ((scene, counts[text] > 1, 1) for scene, text in texts.items()))


def _language(video: str, said: Iterable[SceneCaption]) -> tuple[str | None, Sample]:
    found = {one.scene: language(one.text) for one in said}
    known = {scene: code for scene, code in found.items() if code is not None}
    if not known:
        return None, NONE
    main = Counter(known.values()).most_common(1)[0][0]
    return main, Sample.of(video, ((scene, code == main, 1) for scene, code in known.items()))


def _objects(
    video: str, said: Iterable[SceneCaption], vocabulary: Vocabulary | None
) -> tuple[Sample, Sample, Sample]:
    if vocabulary is None:
        return NONE, NONE, NONE
    counts = []
    for one in said:
        named = vocabulary.named(one.text)
        both = len(named & one.detected)
        counts.append((one.scene, both, len(one.detected), len(named)))
    return (
        Sample.of(video, ((scene, both, seen) for scene, both, seen, _ in counts)),
        Sample.of(video, ((scene, named - both, named) for scene, both, _, named in counts)),
        Sample.of(video, ((scene, 2 * both, seen + named) for scene, both, seen, named in counts)),
    )


def _against(
    video: str, said: Sequence[SceneCaption], references: Mapping[int, Reference]
) -> tuple[Sample, Sample, AttributeScores | None, Corpus | None]:
    """Compare captions of scenes that all have a reference with it."""
    if not said:
        return NONE, NONE, None, None
    truths = [references[one.scene] for one in said]
    world = known()
    scores = {
        one.scene: world.score(one.text, truth.world)
        for one, truth in zip(said, truths, strict=True)
        if world is not None and truth.world is not None
    }
    return (
        Sample.of(
            video,
            (
                (one.scene, rouge_l(one.text, truth.captions), 1)
                for one, truth in zip(said, truths, strict=True)
            ),
        ),
        Sample.of(
            video,
            (
                (scene, sum(each.right.values()), sum(each.total.values()))
                for scene, each in scores.items()
            ),
        ),
        sum(scores.values(), AttributeScores()) if scores else None,
        likeness.corpus([one.text for one in said], [truth.captions for truth in truths]),
    )


def agreements(
    by_model: Mapping[str, Sequence[SceneCaption]], related: Callable[[str, str], bool]
) -> dict[str, dict[int, float]]:
    """Mean similarity of each model's caption of a scene to the other models' captions.

    Args:
        by_model: Captions of one video by model.
        related: Whether two models must not be compared, such as variants of one.

    Returns:
        For each model its scenes that another model has captioned too, each from 0 to 1.
    """
    said = {
        model: {one.scene: words(one.text) for one in captions}
        for model, captions in by_model.items()
    }
    sums: dict[str, dict[int, list[float]]] = {model: {} for model in by_model}
    names = list(by_model)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if related(one, other):
                continue
            for scene in said[one].keys() & said[other].keys():
                value = likeness.agreement(said[one][scene], said[other][scene])
                sums[one].setdefault(scene, []).append(value)
                sums[other].setdefault(scene, []).append(value)
    return {
        model: {scene: sum(each) / len(each) for scene, each in sorted(found.items())}
        for model, found in sums.items()
    }
