"""What a run writes, as typed records. They are the only currency between modules.

Times are seconds from the first video frame's presentation time. Ranges are half-open.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SOUND_LATE_S = 1.0
"""Sound may end this much after the pictures without the film being longer for it."""


class Record(BaseModel):
    """One line of a JSON Lines file, or one JSON file."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def scene_number(index: int) -> int:
    """A scene's number as people are told it, from 1; records and files count from 0."""
    return index + 1


class Scene(Record):
    """A stretch of video between two cuts; scenes cover the video without gaps."""

    index: int
    """From 0; people are told its `number`."""
    start_s: float
    end_s: float
    thumbnails: tuple[str, ...] = ()
    """File names in the run's `thumbnails/`: first frame, middle frame."""

    @property
    def number(self) -> int:
        """As people are told it, from 1."""
        return scene_number(self.index)

    @property
    def middle_s(self) -> float:
        """Half way between start and end."""
        return (self.start_s + self.end_s) / 2


class Span(Record):
    """A stretch of audio with a voice in it."""

    start_s: float
    end_s: float


class Segment(Record):
    """A stretch of transcribed speech, assigned to the scene it overlaps most."""

    scene: int
    start_s: float
    end_s: float
    text: str


class SoundEvent(Record):
    """A sound heard in a scene."""

    scene: int
    label: str
    score: float


class Detection(Record):
    """An object seen in one frame."""

    scene: int
    time_s: float
    label: str
    score: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the frame's width and height."""
    track_id: int | None = None


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


class Resources(Record):
    """Memory and processor use, sampled by a separate process."""

    samples: int = 0
    peak_ram_mib: float = 0.0
    """Resident memory of the kernel and its children."""
    peak_vram_mib: float | None = None
    """Device memory of those processes, as NVML counts it; none without a GPU."""
    peak_device_vram_mib: float | None = None
    """What all processes and the driver held of all GPUs that were to be seen, likewise."""
    peak_torch_allocated_mib: float | None = None
    """What tensors held of the GPUs in the offline scenario, as torch counts it; of a model."""
    peak_torch_reserved_mib: float | None = None
    """What torch had taken from the driver to that end, gaps included; likewise."""
    mean_gpu_percent: float | None = None
    """Mean share of time in which the busiest GPU ran a kernel, as NVML counts it."""
    mean_cpu_cores: float = 0.0
    foreign_cpu_cores: float = 0.0
    """Mean number of cores that other processes kept busy meanwhile."""
    foreign_vram_mib: float = 0.0
    """Most that other processes held of the GPUs' memory meanwhile."""
    foreign_gpu_processes: int = 0
    """Most of them that computed on the GPUs at once."""


class StageReport(Record):
    """How one analyzer of base processing went."""

    name: str
    state: Literal["running", "done", "skipped", "failed"]
    """`running` is left behind by a sitting that was cut short."""
    reason: str = ""
    key: str = ""
    """Hash of all that the stage's results depend on."""
    time_s: float = 0.0
    """At work, waiting for frames and for other stages left out."""
    load_s: float = 0.0
    """Loading libraries and weights, before `time_s`."""
    began_s: float = 0.0
    """Seconds after the start of the sitting."""
    ended_s: float = 0.0
    records: int = 0
    weights: str = ""
    """Identity of the weights used: a commit or a SHA-256."""
    weights_source: Literal["", "hub", "url", "path", "nano", "dummy", "server"] = ""
    batch_size: int | None = None
    """Largest batch that fitted, of a stage that works in batches."""
    resources: Resources | None = None
    """Of the whole kernel from `began_s` to `ended_s`; other stages can have run at once."""
    remedy: str = ""
    """How to get the weights that it was skipped for want of; empty where it was not."""
    reused: bool = False
    """Taken from another base run of the same video, times included."""


class PassReport(StageReport):
    """How the one pass over the frames went, and what was wrong with the file."""

    broken: int = 0
    """Packets that could not be decoded, or not wholly."""


class Joint(Record):
    """Where the time stamps of one stream must be changed, to be on one clock with all others."""

    stream: int
    """Its number in the file."""
    packet: int
    """The first of its packets to be changed, from 0."""
    shift: int | None
    """What to add, in the stream's own ticks; none where stamps make no sense."""


class VideoFacts(Record):
    """What a video file is, read from its container."""

    sha256: str
    size_bytes: int
    duration_s: float
    """Of what is stored, pictures and sound; once it has been decoded, of that."""
    width: int
    height: int
    """Of a frame as stored, before it is turned and its pixels are made square."""
    frames_per_second: float
    codec: str
    rotation_deg: int = 0
    """Counter-clockwise, to be upright."""
    sample_aspect_ratio: float = 1.0
    """Width of a pixel over its height."""
    audio_streams: int = 0
    """Those that can be decoded."""
    declared_s: float = 0.0
    """The container's word on the length; 0 where it has none."""
    zero_s: float = 0.0
    """Stamp of the first frame that can be decoded, which is time 0."""
    pictures_end_s: float = 0.0
    """Where the last stored picture ends."""
    sound_end_s: float = 0.0
    """Where the sound that ends last does; 0 without any."""
    joints: tuple[Joint, ...] = ()
    jumps: int = 0
    """How often time stamps began anew or made no sense."""
    gaps_s: float = 0.0
    """Time that the stamps leap over and nothing is stored for: left out."""
    unread: int = 0
    """Places in the file that could not be read and were passed over."""
    problems: tuple[str, ...] = ()
    """What was found wrong with the file while it was decoded, a line each."""

    def end_s(self, pictures_end_s: float) -> float:
        """Where the film ends: with its pictures, or with sound that goes on after them.

        The last picture stands meanwhile. A sound's last block often ends a moment late; that
        makes no film longer.
        """
        goes_on = self.sound_end_s > pictures_end_s + SOUND_LATE_S
        return self.sound_end_s if goes_on else pictures_end_s

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown: upright, with square pixels."""
        width, height = max(1, round(self.width * self.sample_aspect_ratio)), self.height
        return (height, width) if self.rotation_deg % 180 else (width, height)


class BaseResult(Record):
    """What base processing of one video came to; `result.json` of a base run."""

    key: str
    video: str
    title: str
    facts: VideoFacts
    profile: str
    scenes: int
    stages: tuple[StageReport, ...]
    decode_s: float
    """Wall time of the pass over the frames, shared by all that look at them."""
    total_s: float
    """Wall time of the sitting that finished; stages overlap, so it is less than their sum. What
    was done before it, or was taken over, is not in it."""
    resources: Resources | None = None
    """Of the whole kernel in that sitting; none where nothing was left to run, or where that was
    not recorded."""
    resumed: bool = False
    """It was interrupted, and some of it was done before that sitting began."""
    synthetic_video: bool = False

    @property
    def missing(self) -> tuple[StageReport, ...]:
        """Stages that failed: models that were told what these find cannot be run."""
        return tuple(stage for stage in self.stages if stage.state == "failed")


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
    """All that is known of one scene."""

    scene: Scene
    transcript: str
    segments: tuple[Segment, ...]
    sounds: tuple[SoundEvent, ...]
    objects: tuple[Detection, ...]
    prompt: str
    caption: Caption
    single_stream: Caption | None = None
    """The same scene on its own, where it was in the sample."""


Reason = Literal["error", "timeout", "kernel_died", "oom", "interrupted"]


class Status(Record):
    """How a notebook's run ended; written last, by its runner alone."""

    state: Literal["done", "failed"]
    reason: Reason | None = None
    message: str = ""
    started_at: str = ""
    """UTC, ISO 8601."""
    ended_at: str = ""
    time_s: float = 0.0
    """The whole notebook, kernel start included."""
    python: str = ""
    """The interpreter that the kernel ran in."""
    slots: int = 1
    """How many notebooks could run at once."""
    vram_kept_mib: float | None = None
    """What the GPUs still held after the kernel had ended, over what they did before; none where
    there is no GPU."""


class Progress(Record):
    """How far a notebook is, for whoever watches."""

    step: str
    done: int
    total: int
