"""What is true of a clip: the JSON file beside it. Knows nothing of how the clip was made."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from kairos_lib.nano.script import Sound
from kairos_lib.nano.world import Colour, Kind, Scene, Style

CLIPS = Path(__file__).parent / "clips"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cut(_Record):
    """A boundary between two scenes, at the presentation time of the new scene's first frame."""

    time_s: float
    after_fade: bool = False
    """Whether the old scene had gone nearly to black before it."""


class Box(_Record):
    """Where a shape is in one frame, in pixels from the left and the top."""

    time_s: float
    shape: int
    """Which of the scene's shapes, from 0 at the left of its first frame."""
    kind: Kind
    colour: Colour
    left_px: float
    top_px: float
    right_px: float
    bottom_px: float


class Word(_Record):
    """A spoken word."""

    text: str
    start_s: float
    end_s: float


class Utterance(_Record):
    """A spoken sentence, from its first audible sample to its last."""

    text: str
    voice: str
    start_s: float
    end_s: float
    words: tuple[Word, ...]


class SoundSpan(_Record):
    """A time in which one kind of sound is heard. The spans of a clip do not overlap."""

    label: Sound
    start_s: float
    end_s: float


class SceneTruth(_Record):
    """One scene: half-open in time, from `start_s` up to `end_s`."""

    start_s: float
    end_s: float
    scene: Scene
    caption: str
    """What the images alone tell; a model that was given context may rightly add to it."""
    transcript: str
    sounds: tuple[Sound, ...]
    """What is heard for at least half a second, longest first."""
    boxes: tuple[Box, ...]


class ClipTruth(_Record):
    """Everything that is true of a clip."""

    name: str
    style: Style
    seed: int
    width_px: int
    height_px: int
    fps: int
    duration_s: float
    cuts: tuple[Cut, ...]
    scenes: tuple[SceneTruth, ...]
    utterances: tuple[Utterance, ...]
    transcript: str
    sounds: tuple[SoundSpan, ...]

    @classmethod
    def load(cls, path: Path) -> ClipTruth:
        """Read the truth of a clip from its JSON file."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    @classmethod
    def of_demo(cls, name: str) -> ClipTruth:
        """Read the truth of a clip that ships with the package, such as `demo-match`."""
        return cls.load(CLIPS / f"{name}.json")

    def save(self, path: Path) -> None:
        """Write the truth to a JSON file."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
