"""Text in the picture: lines with their places, and when each is first and last seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.changes import changed_share, has_changed
from kairos_lib.analyzers.lasting import Lasting, Line
from kairos_lib.analyzers.marks import Box, Mark
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.runs.record import Record

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


class TextSettings(Settings):
    """Reading of text by RapidOCR."""

    looks_per_second: float = Field(4.0, gt=0)
    """How often to look whether the picture has changed; texts come and go at these moments."""
    reads_per_second: float = Field(1.0, gt=0)
    """How often at most a picture that changes is read; one that becomes another all at once is
    read at once, and one that stays is not read again. What comes and goes between two readings of
    one picture is missed."""
    image_px: int = Field(1280, ge=64)
    """Longer side of the picture that is read: at 640 px a caption of 12 px at 720p has wrong
    letters."""
    detection_px: int = Field(640, ge=64)
    """Longer side of the picture in which lines are looked for."""
    small_px: int = Field(336, ge=32)
    """Longer side of the picture in which changes are looked for; at the size of `scenes` frames
    are scaled once for both."""
    min_score: float = Field(0.8, ge=0, le=1)
    """How certain the letters of a line must be, on average."""
    once_min_score: float = Field(0.9, ge=0, le=1)
    """The same for a line that was read only once: shapes that are taken for letters seldom are so
    twice."""
    min_characters: int = Field(2, ge=1)
    """Letters and digits of a line; single ones are mostly rings and bars read as letters."""


class Text(Record):
    """A line of text, as long as it stays in its place.

    One that stays over a cut is among the records of each of its scenes, with all of its time.
    """

    scene: int
    start_s: float
    """First seen."""
    end_s: float
    """Last seen: the same as `start_s` for one that was seen once."""
    text: str
    score: float
    """Of its most certain reading, from 0 to 1."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the frame's width and height, of the same reading."""
    readings: int
    """How often it was read."""


PACKAGE = "rapidocr"
DETECTOR, RECOGNIZER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
REMEDY = "run `make install`, which brings the package rapidocr"

CUT_SHARE = 0.3
"""Share of changed pixels that makes it another picture."""

LINES_AT_MOST = 8
"""Maximum number in a prompt: a page has a hundred."""
LINE_CHARACTERS = 120
LABEL_CHARACTERS = 60


class Analyzer(Stage):
    """Reads while the video is decoded."""

    name: ClassVar[str] = "text"
    version: ClassVar[int] = 1
    record: ClassVar[type[Text]] = Text
    settings: ClassVar[type[Settings]] = TextSettings
    heading: ClassVar[str] = "Written"
    nothing: ClassVar[str] = "no text"
    not_run: ClassVar[str] = "not read"
    filter_title: ClassVar[str] = "Text"
    in_pictures: ClassVar[bool] = True
    placed: ClassVar[bool] = True
    in_each_scene: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = (
        PACKAGE, "onnxruntime", "av", "opencv-python-headless", "numpy",
    )  # fmt: skip
    load_settings: ClassVar[frozenset[str]] = frozenset({"detection_px"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: TextSettings = context.profile.text

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """The models that travel in the package; their hash is part of the stage's key."""
        spec = find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            return None
        return Weights(source="path", id=str(Path(spec.origin).parent / "models"))

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Always."""
        return True

    @classmethod
    def remedy(cls, profile: Base) -> str:
        """The package has them."""
        return REMEDY

    def skip(self) -> str:
        """The package is an extra."""
        return "" if find_spec(PACKAGE) else f"{PACKAGE} is not installed: {REMEDY}"

    @classmethod
    def prompt_line(cls, records: Sequence[Text]) -> str:
        """What is written, the longest seen first."""
        said = [f'"{_shortened(text, LINE_CHARACTERS)}"' for text in _by_length(records)]
        return "Text in the picture: " + ", ".join(said[:LINES_AT_MOST]) if said else ""

    @classmethod
    def view(cls, records: Sequence[Text]) -> str:
        """Each text once, in the order of its first sight."""
        return " · ".join(dict.fromkeys(one.text for one in _in_order(records)))

    @classmethod
    def labels(cls, records: Sequence[Text]) -> list[str]:
        """Each text once."""
        return list(dict.fromkeys(_shortened(one.text, LABEL_CHARACTERS) for one in records))

    @classmethod
    def marks(cls, records: Sequence[Text]) -> Sequence[Mark]:
        """Each line from its first sight to its last."""
        return [Mark(one.start_s, one.end_s, one.text) for one in _in_order(records)]

    @classmethod
    def boxes(cls, records: Sequence[Text]) -> Sequence[Box]:
        """Each line once, from its first sight to its last; one that was read once is a moment."""
        return [
            Box(one.start_s, one.box, one.text, one.end_s if one.end_s > one.start_s else None)
            for one in _in_order(records)
        ]

    @classmethod
    def figures(cls, records: Sequence[Text]) -> Mapping[str, str]:
        """How many different lines there are."""
        different = len({one.text.casefold() for one in records})
        return {"Lines of text": f"{different:,}"} if different else {}

    def frames_per_second(self) -> float:
        """Enough to look for changes."""
        return max(self._settings.looks_per_second, self._settings.reads_per_second)

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Any:
        """A reader with one thread."""
        return load(weights, settings.detection_px)

    def run(self) -> Iterator[Text]:
        """Yield each text once it has gone; scenes are assigned later."""
        settings = self._settings
        seen = Lasting()
        read: np.ndarray | None = None
        before: np.ndarray | None = None
        due_s = 0.0
        for frame in self.frames:
            small = frame.image(settings.small_px, colour="bgr24", interpolation="AREA")
            other = changed_share(small, before) >= CUT_SHARE
            if not has_changed(small, read):
                seen.stay(frame.time_s)
            elif frame.time_s >= due_s or other:
                picture = frame.image(settings.image_px, colour="bgr24")
                gone = seen.read(frame.time_s, lines(self.model, picture, settings))
                yield from self._records(gone)
                read, due_s = small, frame.time_s + 1 / settings.reads_per_second
            before = small
            self.context.progress(round(frame.time_s), round(self.context.facts.duration_s))
        yield from self._records(seen.end())

    def _records(self, gone: Iterator[Lasting.Seen]) -> Iterator[Text]:
        """The lines that were read well enough."""
        for one in gone:
            if one.readings > 1 or one.line.score >= self._settings.once_min_score:
                yield Text(
                    scene=-1,
                    start_s=one.start_s,
                    end_s=one.end_s,
                    text=one.line.text,
                    score=one.line.score,
                    box=one.line.box,
                    readings=one.readings,
                )


def load(models: Path, detection_px: int) -> Any:
    """RapidOCR with the models in a folder; it downloads nothing, as both are named.

    Args:
        models: The folder.
        detection_px: Longer side of the picture in which lines are looked for.

    Raises:
        KairosError: The folder lacks one of them, being of another version of the package, or one
            is damaged.
    """
    for name in (DETECTOR, RECOGNIZER):
        if not (models / name).is_file():
            raise KairosError(f"{models} has no {name}: {REMEDY} of the pinned version")
    threads.one_of_opencv()
    from rapidocr import RapidOCR

    engine = "EngineConfig.onnxruntime"
    reader = RapidOCR(
        params={
            # It tells every picture without text on a handler of its own.
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Det.model_path": str(models / DETECTOR),
            "Det.limit_type": "max",
            "Det.limit_side_len": detection_px,
            "Rec.model_path": str(models / RECOGNIZER),
            # In a batch a line is padded to the longest, which changes how it is read.
            "Rec.rec_batch_num": 1,
            f"{engine}.intra_op_num_threads": 1,
            f"{engine}.inter_op_num_threads": 1,
        }
    )
    # It loads each net at its first use, which is now: one alone, then the other, and both are on.
    nothing = np.zeros((64, 64, 3), np.uint8)
    try:
        reader(nothing, use_det=False)
        reader(nothing, use_det=True)
    except Exception as error:  # onnxruntime has no class for what it says of a damaged file.
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise KairosError(f"cannot load the models in {models}: {REMEDY} ({reason})") from error
    return reader


def lines(reader: Any, picture: np.ndarray, settings: TextSettings) -> list[Line]:
    """The lines of text in a picture, from top to bottom.

    Args:
        reader: From `load`.
        picture: BGR, shape (height, width, 3), uint8.
        settings: What to leave out.
    """
    answer = reader(picture)
    if not (texts := getattr(answer, "txts", None)):
        return []
    height, width = picture.shape[:2]
    found = []
    for text, score, corners in zip(texts, answer.scores, answer.boxes, strict=True):
        text = " ".join(text.split())
        letters = sum(character.isalnum() for character in text)
        if score < settings.min_score or letters < settings.min_characters:
            continue
        left, top = np.min(corners, axis=0) / (width, height)
        right, bottom = np.max(corners, axis=0) / (width, height)
        box = tuple(round(float(min(1, max(0, edge))), 4) for edge in (left, top, right, bottom))
        found.append(Line(text, round(float(score), 4), (box[0], box[1], box[2], box[3])))
    return sorted(found, key=lambda line: (line.box[1], line.box[0]))


def _in_order(records: Sequence[Text]) -> list[Text]:
    """Each once, by its first sight, then from top to bottom."""
    once = {(one.start_s, one.end_s, one.text, one.box): one for one in records}
    return sorted(once.values(), key=lambda one: (one.start_s, one.box[1], one.box[0]))


def _by_length(records: Sequence[Text]) -> list[str]:
    """Each text once, the longest seen first; those of equal length as they were seen."""
    lasted: dict[str, float] = {}
    for one in _in_order(records):
        lasted[one.text] = lasted.get(one.text, 0.0) + one.end_s - one.start_s
    return sorted(lasted, key=lambda text: -lasted[text])


def _shortened(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
