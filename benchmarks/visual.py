"""The visual pass (scenes and two thumbnails of each) against decoding alone and today's ways."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clips import FILM_SIZES, film_clip, film_truth, many_scenes_clip, stream_facts
from benchmarks.harness import Comparison, Contender, DisagreementError, compete
from benchmarks.light import light_film
from benchmarks.table import Page, markdown, rounds_table, times_table
from benchmarks.visual_ways import (
    PROFILE,
    Found,
    bare_decode,
    bare_decode_pyav,
    earlier_way,
    ffmpeg,
    kairos_pass,
    output,
    scenedetect_command,
    thumbnail_size,
)
from benchmarks.workshop import Workshop
from kairos_lib.media.video import VideoFile, probe

BARE = "bare decode (`ffmpeg -f null`)"
KAIROS = "Kairos: scenes and thumbnails"
BARE_PYAV = "bare decode (PyAV)"
COMMAND = "`scenedetect` command: scenes alone"
COMMAND_START = "`scenedetect` command on ten seconds of 64×36: its start-up"
EARLIER = "the earlier way: scenes, then a seek for each thumbnail"
TARGET = 1.25
SAME_S = 1e-6
SEEN_LEVELS = 6.0
"""Mean absolute difference, of 255 levels, that JPEG and another way of scaling may make; the
next shot differs by several times as much."""
CLIPS = Path(__file__).resolve().parents[2] / "shared" / "clips"
CANDIDATES = 64
"""Frames that are kept of a scene while its middle is not known (DESIGN 5)."""
SPACING_S = 0.25
"""And how far apart they are at first."""


def reference_cuts(video: Path) -> tuple[float, ...]:
    """PySceneDetect's own detector, alone, fed the frames that Kairos feeds it."""
    from scenedetect import ContentDetector
    from scenedetect.common import FrameTimecode, Timecode

    from kairos_lib.analyzers.scenes import scaled

    facts = probe(video, sha256="")
    settings = PROFILE.scenes
    detector = ContentDetector(min_scene_len=settings.min_scene_s)
    cuts = []
    code = None
    for frame in VideoFile(video).frames():
        image = scaled(frame, settings.analysis_px)
        pts = round(frame.time_s / frame.time_base)
        code = FrameTimecode(Timecode(pts, frame.time_base), fps=facts.frames_per_second)
        cuts += detector.process_frame(code, image)
    cuts += detector.post_process(code)
    return tuple(cut.seconds for cut in cuts)


def thumbnail_errors(video: Path, found: Found) -> list[float]:
    """How far each thumbnail is from the frame that it stands for, of 255 levels.

    The whole frame is scaled by another library than Kairos's. A middle frame may be one of those
    around the middle, for of a long scene not every frame is kept until its end is known.
    """
    import cv2

    starts = [0.0, *found.cuts_s]
    ends = [*found.cuts_s, probe(video, sha256="").duration_s]
    wanted: list[tuple[float, float]] = []
    for start_s, end_s in zip(starts, ends, strict=True):
        around_s = max(SPACING_S / 2, (end_s - start_s) / CANDIDATES)
        middle_s = (start_s + end_s) / 2
        wanted += [(start_s, start_s), (middle_s - around_s, middle_s + around_s)]
    pictures = [cv2.imread(str(path)).astype(np.int16) for path in found.thumbnails]
    errors = [255.0] * len(pictures)
    frame_s = 1 / probe(video, sha256="").frames_per_second
    first = 0
    for frame in VideoFile(video).frames():
        while first < len(wanted) - 2 and wanted[first + 1][1] + 2 * frame_s < frame.time_s:
            first += 2
        image = None
        for index in range(first, min(first + 4, len(wanted))):
            low_s, high_s = wanted[index]
            slack_s = SAME_S if low_s == high_s else frame_s
            if low_s - slack_s <= frame.time_s <= high_s + slack_s:
                if image is None:
                    whole = frame.image(colour="bgr24")
                    image = cv2.resize(
                        whole, thumbnail_size(whole), interpolation=cv2.INTER_AREA
                    ).astype(np.int16)
                errors[index] = min(errors[index], float(np.abs(image - pictures[index]).mean()))
    return errors


@dataclass(frozen=True)
class Matching:
    """How two lists of cuts agree, within one frame."""

    matched: int
    missed: int
    extra: int


def match(found: Sequence[float], truth: Sequence[float], within_s: float) -> Matching:
    """Pair each true cut with the nearest found one that is not taken."""
    left = list(found)
    matched = 0
    for cut in truth:
        near = min(left, key=lambda other: abs(other - cut), default=None)
        if near is not None and abs(near - cut) <= within_s:
            left.remove(near)
            matched += 1
    return Matching(matched, len(truth) - matched, len(left))


class Judge:
    """Decides whether a round's results may be timed."""

    def __init__(self, video: Path, say: Callable[[str], None]) -> None:
        self._video = video
        say("finding the cuts with PySceneDetect's own detector on the same frames")
        self.cuts_s = reference_cuts(video)
        self.worst_levels = -1.0
        """Of the thumbnails, once they have been compared."""
        self._thumbnails: tuple[bytes, ...] = ()

    def __call__(self, results: Mapping[str, Found]) -> None:
        """Compare a round's results.

        Raises:
            DisagreementError: Kairos's cuts are not the detector's, or a thumbnail is not the frame
                that it stands for.
        """
        kairos = results[KAIROS]
        if len(kairos.cuts_s) != len(self.cuts_s) or any(
            abs(one - other) > SAME_S for one, other in zip(kairos.cuts_s, self.cuts_s, strict=True)
        ):
            raise DisagreementError(
                f"Kairos finds {len(kairos.cuts_s)} cuts, PySceneDetect's detector "
                f"{len(self.cuts_s)} on the same frames, and they are not the same"
            )
        scenes = len(self.cuts_s) + 1
        if len(kairos.thumbnails) != 2 * scenes:
            raise DisagreementError(f"{len(kairos.thumbnails)} thumbnails of {scenes} scenes")
        pictures = tuple(path.read_bytes() for path in kairos.thumbnails)
        if pictures == self._thumbnails:
            return  # Byte for byte those that have been compared.
        errors = thumbnail_errors(self._video, kairos)
        self.worst_levels = max(self.worst_levels, *errors)
        if self.worst_levels > SEEN_LEVELS:
            raise DisagreementError(
                f"{kairos.thumbnails[errors.index(max(errors))].name} differs by "
                f"{self.worst_levels:.1f} levels from the frame that it stands for"
            )
        self._thumbnails = pictures


def run(
    cache: Path, video: Path | None, rounds: int, command: str, say: Callable[[str], None]
) -> Page:
    """Measure on the films of both sizes and the light one, or on one video of the user's own."""
    ffmpeg()
    page = Page("Visual pass: scenes and two thumbnails of each", command, rounds)
    page.add(_preamble())
    if video is not None:
        _measure(page, "A video of one's own", video, cache, rounds, say)
        return page
    for size in FILM_SIZES:
        say(f"{size.name}: making the film, unless it is there")
        film = film_clip(cache, size)
        _measure(page, f"Film, {size.name}", film, cache, rounds, say)
    say("light film: making it, unless it is there")
    light = light_film(cache, CLIPS)
    if light is None:
        say("the light film is left out: its clips are not in ../shared/clips")
        page.add("## Light film", "Left out: the clips that it is made of are not there.")
    else:
        _measure(page, "Light film of real clips", light, cache, rounds, say, earlier=False)
    return page


def _measure(
    page: Page,
    heading: str,
    video: Path,
    cache: Path,
    rounds: int,
    say: Callable[[str], None],
    earlier: bool = True,
) -> None:
    tiny = many_scenes_clip(cache, 10)
    facts = stream_facts(video)
    judge = Judge(video, say)
    with tempfile.TemporaryDirectory() as scratch:
        workshop = Workshop(Path(scratch) / "project")
        count = iter(range(1_000_000))

        def fresh() -> Path:
            return Path(scratch) / str(next(count))

        contenders = [
            Contender(BARE, lambda: bare_decode(video)),
            Contender(KAIROS, lambda: kairos_pass(workshop, video), workshop.clear),
            Contender(BARE_PYAV, lambda: bare_decode_pyav(video)),
            Contender(COMMAND, lambda: scenedetect_command(video, fresh())),
            Contender(COMMAND_START, lambda: scenedetect_command(tiny, fresh())),
        ]
        if earlier:
            contenders.append(Contender(EARLIER, lambda: earlier_way(video, fresh())))
        comparison = compete(contenders, rounds, judge, say)
    ratio = comparison.round_ratios(KAIROS, BARE)
    reached = "reached" if ratio.median <= TARGET else "missed"
    page.add(
        f"## {heading}",
        f"{facts.told()}; {len(judge.cuts_s) + 1} scenes.",
        times_table(comparison, BARE),
        f"Kairos takes {ratio.told()} × the bare decode of the same round; the target is at most "
        f"{TARGET} × and is **{reached}**.",
        "### Agreement",
        f"Kairos's cuts are those of PySceneDetect's content detector on the same frames (checked "
        f"in every round). The worst thumbnail is {judge.worst_levels:.1f} of 255 levels away from "
        "the frame that it stands for (mean absolute difference, scaled by OpenCV).",
        _agreement(comparison, video, 1 / facts.frames_per_second),
        "### All rounds",
        rounds_table(comparison),
    )


def _agreement(comparison: Comparison[Found], video: Path, frame_s: float) -> str:
    """Kairos's cuts held against those of the stock ways, and against the truth."""
    kairos = comparison.trials[KAIROS][0].result.cuts_s
    rows = []
    for name in (COMMAND, EARLIER):
        if name not in comparison.trials:
            continue
        other = comparison.trials[name][0].result.cuts_s
        rows.append((f"found by {name}", match(kairos, other, frame_s + SAME_S)))
    truth = film_truth(video)
    if truth is not None:
        both = sorted((*truth.hard_cuts_s, *truth.fades_s))
        rows.append(("hard cuts and fades in the film", match(kairos, both, 12 * frame_s)))
        rows.append(("hard cuts in the film", match(kairos, truth.hard_cuts_s, frame_s + SAME_S)))
    return markdown(
        ["cuts", "also found by Kairos", "not found by Kairos", "found by Kairos alone"],
        [[name, str(m.matched), str(m.missed), str(m.extra)] for name, m in rows],
    )


def _preamble() -> str:
    version = output([ffmpeg(), "-version"]).split()[2]
    import av

    libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
    return (
        "Wall time from the file to what is on disk. Kairos, PyAV and the earlier way run "
        "inside this one process with their libraries imported; `ffmpeg` and `scenedetect` are "
        "commands and run as processes of their own, so that the start-up of `scenedetect` is "
        "measured apart. Kairos's is a whole base run of the stage `scenes`, its records and "
        "provenance included; the video's hash is remembered from the first round. Bare decoding "
        f"is ffmpeg {version}'s; PyAV brings its own libavcodec {libavcodec}. All are at their "
        "stock settings: PySceneDetect scales by its own rule, Kairos to "
        f"{PROFILE.scenes.analysis_px} px. Only Kairos and the earlier way make thumbnails "
        f"({PROFILE.scenes.thumbnail_px} px)."
    )
