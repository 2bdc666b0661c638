"""Records of a model's captions of a video, and of the resources they took."""

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

    Run one scene at a time, the parts add up to `total_s`. If preparing overlaps with generating,
    they can add up to more than the wall time.
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
    """A model's caption of one scene, with times and token counts."""

    scene: int
    text: str
    error: str = ""
    """Why there is no text, if the scene could not be captioned."""
    frame_times_s: tuple[float, ...] = ()
    frame_size_px: tuple[int, int] | None = None
    """Width and height of the frames given to the model's processor."""
    prompt_tokens: int = 0
    """All tokens of the prompt, visual ones included."""
    visual_tokens: int = 0
    left_out_chars: int = 0
    """Of what base processing found, because it did not fit into the model's context."""
    new_tokens: int = 0
    truncated: bool = False
    """Cut off by the limit on new tokens."""
    timing: Timing = Timing()
    """Time of this scene alone, or its even share of its batch."""
    batch_size: int = 1
    part: str = ""
    """Which part of the run wrote this; more than one part means the run was resumed."""
    elapsed_s: float = 0.0
    """Wall time from the start of that part's clock until this caption was ready."""


class PlannedBatch(Record):
    """Scenes that were captioned together; replayed when a run is resumed."""

    scenes: tuple[int, ...]
    limit: int
    """Largest batch that the device can hold, as known or estimated."""


class FittingBatch(Record):
    """The largest batch that fitted after a larger one did not; `batch_size.json` of a key."""

    scenes: int


class ScenarioResult(Record):
    """One scenario over its scenes."""

    scenario: Literal["single-stream", "offline"]
    scenes: int
    failed: int
    time_s: float
    """Wall time, summed over the parts if the run was resumed."""
    timing: Timing
    """Sums over the scenes."""
    prompt_tokens: int
    visual_tokens: int
    new_tokens: int
    truncated: int
    batch_size: int
    """Largest batch that worked."""
    parts: int
    """Number of parts; more than one means a resumed run, whose time is left out of statistics."""
    frames: int = 0
    """Frames shown to the model, in the scenes that have a caption; 0 if not recorded."""
    no_numbers: int = 0
    """Failed scenes whose scores were NaN or infinite."""
    energy_j: float | None = None
    """Energy used by the model's GPUs during the scenario, idling included; None if there is no
    counter or the run was resumed."""


class NetworkPart(Record):
    """One of the networks that a model is made of."""

    kind: str
    """Its type as named in its configuration, or its class."""
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
    """Everything else, embeddings and output layer included."""
    image_px: int | None = None
    """Longer side of the vision encoder's input; None if it takes any size."""
    patch_px: int | None = None
    """Side of one of its patches."""
    queries: int | None = None
    """Learned queries of a Q-Former."""
    context_tokens: int | None = None
    attention: str = ""
    """Attention implementation in use, also the vision encoder's if that differs."""
    dtype: str = ""
    quantisation: str = "none"


class VlmResult(Record):
    """Results of one model on one video; `result.json` of a VLM run."""

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
    weights_source: Literal["hub", "path", "nano", "dummy", "server", "package"]
    weights: str
    device: str
    attention: str
    batched_otherwise: int = 0
    """Scenes of the single-stream sample whose caption differs in a batch."""
    placement: tuple[str, ...] = ()
    """The devices that hold the weights."""
    parameters_millions: float
    architecture: Architecture | None = None
    """Unknown for a model on a server."""
    generation_left_out: tuple[str, ...] = ()
    """Generation settings of its checkpoint that were not used, as `name: value`."""
    synthetic_video: bool = False

    @property
    def vlm_time_s(self) -> float:
        """The headline: wall time of the offline scenario."""
        return self.offline.time_s

    @property
    def rtf(self) -> float:
        """Real-time factor: processing time for each second of video."""
        return self.vlm_time_s / self.duration_s


class FusedScene(Record):
    """All that is known of one scene.

    Any other analyzer adds a field of its name, with its records of the scene as in their JSON.
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
    """The caption of the same scene on its own, if it was in the sample."""
