"""What a model wrote about a video, and what it took."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.measure.usage import Resources
from kairos_lib.media.scene import Scene
from kairos_lib.runs.record import Record


class Timing(Record):
    """Where the time of captioning went; device-synchronised, in seconds.

    Run one scene at a time, the parts add up to `total_s`. Where preparing overlaps with
    generating, they can add up to more than the wall time.
    """

    frames_s: float = 0.0
    """Decoding and scaling the frames."""
    preprocess_s: float = 0.0
    """From frames and text to tensors on the device."""
    prefill_s: float = 0.0
    """From the start of generation to the first token's scores: the time to first token."""
    decode_s: float = 0.0
    """From the first token's scores to the end of generation."""
    other_s: float = 0.0
    """The rest: turning tokens into text, bookkeeping."""
    total_s: float = 0.0


class Caption(Record):
    """What a model wrote about one scene, and what it took."""

    scene: int
    text: str
    error: str = ""
    """Why there is no text, where the scene could not be captioned."""
    frame_times_s: tuple[float, ...] = ()
    frame_size_px: tuple[int, int] | None = None
    """Width and height of the frames as the model's processor was given them."""
    prompt_tokens: int = 0
    """All tokens of the prompt, visual ones included."""
    visual_tokens: int = 0
    left_out_chars: int = 0
    """Of what base processing found: the model's context had no room to be told of it."""
    new_tokens: int = 0
    truncated: bool = False
    """Cut off by the limit on new tokens."""
    timing: Timing = Timing()
    """Of this scene alone, or its even share of its batch."""
    batch_size: int = 1
    part: str = ""
    """Which sitting of the run wrote this; more than one means the run was resumed."""
    elapsed_s: float = 0.0
    """Wall time from the start of that sitting's clock until this caption was ready."""


class PlannedBatch(Record):
    """Scenes that were captioned together; replayed when a run is resumed."""

    scenes: tuple[int, ...]
    limit: int
    """Largest batch that the device is known or hoped to hold."""


class FittingBatch(Record):
    """The largest batch that fitted where a larger one did not; `batch_size.json` of a key."""

    scenes: int


class ScenarioResult(Record):
    """One scenario over its scenes."""

    scenario: Literal["single-stream", "offline"]
    scenes: int
    failed: int
    time_s: float
    """Wall time, the sum of its parts where the run was resumed."""
    timing: Timing
    """Sums over the scenes."""
    prompt_tokens: int
    visual_tokens: int
    new_tokens: int
    truncated: int
    batch_size: int
    """Largest batch that worked."""
    parts: int
    """Sittings it took; more than one is a resumed run, whose time is kept out of statistics."""
    frames: int = 0
    """Shown to the model, in the scenes that have a caption; 0 where that was not recorded."""
    no_numbers: int = 0
    """Failed scenes whose scores were NaN or infinite."""
    energy_j: float | None = None
    """What the model's GPUs used meanwhile, idling and all; none where no counter tells, or where
    the run was resumed."""


class NetworkPart(Record):
    """One of the networks that a model is made of."""

    kind: str
    """Its type, as its configuration calls it, or its class."""
    layers: int | None = None
    hidden_size: int | None = None
    parameters_millions: float


class Architecture(Record):
    """How a model is built, read from its configuration and its weights once they are loaded."""

    model: str
    """Its class."""
    vision: NetworkPart | None
    connector: NetworkPart | None
    """What turns the vision encoder's features into visual tokens."""
    language: NetworkPart
    """All the rest, embeddings and output layer included."""
    image_px: int | None = None
    """Longer side of the pictures that the vision encoder takes; none where it takes any size."""
    patch_px: int | None = None
    """Side of a patch of them."""
    queries: int | None = None
    """Learned queries of a Q-Former."""
    context_tokens: int | None = None
    attention: str = ""
    """Implementation that is used, of the vision encoder too where it is another."""
    dtype: str = ""
    quantisation: str = "none"


class VlmResult(Record):
    """What one model made of one video; `result.json` of a VLM run."""

    key: str
    model: str
    model_title: str
    video: str
    title: str
    repeat: int
    duration_s: float
    scenes: int
    load_s: float
    single_stream: ScenarioResult
    offline: ScenarioResult
    resources: Resources
    weights_source: Literal["hub", "path", "nano", "dummy", "server"]
    weights: str
    device: str
    attention: str
    batched_otherwise: int = 0
    """Scenes of the single-stream sample that were captioned otherwise in a batch."""
    placement: tuple[str, ...] = ()
    """The devices that the weights lie on."""
    parameters_millions: float
    architecture: Architecture | None = None
    """Unknown of a model of a server."""
    generation_left_out: tuple[str, ...] = ()
    """What its checkpoint says of generation and was not heeded, as `name: value`."""
    synthetic_video: bool = False

    @property
    def vlm_time_s(self) -> float:
        """The headline: wall time of the offline scenario."""
        return self.offline.time_s

    @property
    def rtf(self) -> float:
        """Real-time factor: seconds of work for each second of video."""
        return self.vlm_time_s / self.duration_s


class FusedScene(Record):
    """All that is known of one scene.

    An analyzer beside these adds a field of its name, with its records of the scene as they are in
    JSON.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    scene: Scene
    transcript: str
    segments: tuple[Segment, ...]
    sounds: tuple[SoundEvent, ...]
    objects: tuple[Detection, ...]
    prompt: str
    caption: Caption
    single_stream: Caption | None = None
    """The same scene on its own, where it was in the sample."""
