"""What the YAML files under `parameters/` may say, as typed models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a name of a parameter file may be made of."""
REPEATS_AT_MOST = 1000
ENTRIES_AT_MOST = 1000
"""Of a suite's models or videos, each of which may be a pattern or a range."""
VARIANTS_AT_MOST = 100


class Settings(BaseModel):
    """A parameter file or a part of one: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Changes = dict[str, Any]
"""Some of a model's parameters, to take the place of its own; `name` and `title` included."""


class Weights(Settings):
    """Where a model's weights come from."""

    source: Literal["hub", "url", "path", "nano", "dummy", "server"]
    id: str
    """Hub repository, address of a single file, path (relative to the project), the name of a
    nano model, of dummy weights, which are random, a file of `parameters/architectures`, or what a
    server calls a model."""
    revision: str | None = None
    """Git revision on the hub. `null` takes the newest at the time of `make fetch`, whose
    commit is what the run records and is keyed by."""
    file: str | None = None
    """Single file of a hub repository, where not all of it is wanted."""
    sha256: str | None = None
    """Of the single file; required of what comes from a bare address."""

    @model_validator(mode="after")
    def _addresses_are_pinned(self) -> Weights:
        if self.source == "url" and not self.sha256:
            raise ValueError("weights from a bare address need their sha256")
        if self.source == "url" and not self.id.startswith(("https://", "http://")):
            raise ValueError("an address begins with https://")
        # A name is a stem, never a path: one with a slash must not leave the folder.
        if self.source == "dummy" and not re.fullmatch(NAME, self.id):
            raise ValueError("of dummy weights, it is the name of an architecture")
        return self


class Video(Settings):
    """One video to describe."""

    name: str
    path: Path
    title: str
    description: str = ""
    truth: Path | None = None
    """JSON beside a synthetic clip that says what is really in it."""
    references: Path | None = None
    """JSON file of captions that people wrote: a list of `{start_s, end_s, captions: [...]}`. The
    report holds the models' captions against them; no run depends on it."""

    @model_validator(mode="after")
    def _told_once(self) -> Video:
        if self.truth is not None and self.references is not None:
            raise ValueError("a synthetic clip's truth has its reference captions: leave one out")
        return self


class Frames(Settings):
    """Which frames of a scene a model sees."""

    sampling: Literal["start_middle", "even"] = "start_middle"
    count: int = Field(2, ge=1, le=16)
    """Frames a scene; `start_middle` has always two."""
    longest_px: int = Field(336, ge=16)
    """Length of the longer side; smaller frames are not enlarged."""


class Prompt(Settings):
    """What a model is asked."""

    instruction: str
    context: tuple[Literal["speech", "sounds", "objects"], ...] = ("speech", "sounds", "objects")
    """What base processing found that the model is told."""


class Generation(Settings):
    """How a model writes."""

    max_new_tokens: int = Field(256, ge=1)
    num_beams: int = Field(1, ge=1)
    min_new_tokens: int = Field(0, ge=0)


NOT_OF_SERVERS = frozenset(
    {"dtype", "quantisation", "device", "attention", "processor", "allocator"}
)
"""Parameters that would change nothing for a model of a server."""


class Server(Settings):
    """Where the models of the family `openai` are, and what may be asked of it."""

    base_url: str | None = None
    """`null` takes OPENAI_BASE_URL of the environment, or OpenAI's own address."""
    key_name: str | None = "OPENAI_API_KEY"
    """The environment variable that holds the key, whose name ends in `_API_KEY`; `null` for a
    server that wants none."""
    concurrency: int = Field(8, ge=1)
    """Requests at once."""
    requests_per_minute: int | None = Field(None, ge=1)
    """In any minute; `null` leaves it to the server to refuse."""
    attempts: int = Field(6, ge=1)
    """Requests for one caption before it is given up."""
    timeout_s: float = Field(600.0, gt=0)
    asked_for_usage: bool = True
    """Whether the count of tokens has to be asked for; `transformers serve` refuses to be asked,
    and sends it."""

    @model_validator(mode="after")
    def _only_keys_are_sent(self) -> Server:
        # A model's file may come from anybody, and the environment holds other secrets.
        if self.key_name is not None and not re.fullmatch(r"[A-Z0-9_]+_API_KEY", self.key_name):
            raise ValueError(f"key_name must end in _API_KEY, not be {self.key_name!r}")
        return self


class Model(Settings):
    """One vision-language model and all that its numbers depend on."""

    name: str
    title: str
    family: str
    """Name of the adapter: a file in `kairos_lib/vlm/families/`."""
    weights: Weights
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Precision of the arithmetic, and of the weights where they are not quantised."""
    quantisation: Literal["none", "int8", "nf4"] = "none"
    """What weights are made into while they are loaded; `none` takes them as they are, quantised
    already or not."""
    device: Literal["auto", "cpu"] = "auto"
    """`auto` is the GPU where there is one."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    frames: Frames = Frames()
    prompt: Prompt
    generation: Generation = Generation()
    processor: dict[str, int | float] = {}
    """Settings of the family's own processor, by its names: `num_crops` of phi35, for one."""
    server: Server = Server()
    """Of the family `openai`."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 8
    """Scenes that are captioned at once, halved where the device has no room for them; `auto` goes
    by the memory there is."""
    single_stream_scenes: int = Field(16, ge=1)
    """Size of the sample of scenes, spread evenly, for the single-stream scenario."""
    base: str = "default"
    """Base profile used when no suite names one."""
    allocator: str = ""
    """torch's PYTORCH_ALLOC_CONF on a GPU, such as `expandable_segments:True`."""
    kernel: str = "python3"
    """Jupyter kernelspec whose environment runs this model."""
    timeout_s: float = Field(6 * 3600.0, gt=0)

    @model_validator(mode="after")
    def _a_server_decides_for_itself(self) -> Model:
        if (self.weights.source == "server") != (self.family == "openai"):
            raise ValueError("family: openai and weights of source: server go together")
        if self.weights.source == "server":
            for name in NOT_OF_SERVERS & self.model_fields_set:
                raise ValueError(f"a server decides on its {name} itself: leave it out")
            if self.generation.num_beams > 1 or self.generation.min_new_tokens:
                raise ValueError("a server knows no num_beams and no min_new_tokens")
        return self


class ScenesSettings(Settings):
    """Scene detection by PySceneDetect."""

    detector: Literal["content", "adaptive", "threshold", "hash"] = "content"
    parameters: dict[str, float] = {}
    """Passed to the detector by name, such as `threshold`."""
    min_scene_s: float = Field(0.6, gt=0)
    analysis_px: int = Field(336, ge=32)
    """Longer side that frames are scaled down to before they are compared. The size of thumbnails
    costs least: each frame is then scaled once for both."""
    thumbnail_px: int = Field(336, ge=32)
    """Longer side of a thumbnail."""


class AudioSettings(Settings):
    """Which of a video's audio streams is listened to."""

    stream: int | None = Field(None, ge=0)
    """Its number among the audio streams, from 0; `null` takes the file's default one."""


class VadSettings(Settings):
    """Voice activity detection by Silero, run once for speech and sounds."""

    threshold: float = Field(0.5, gt=0, lt=1)
    min_silence_s: float = Field(0.5, ge=0)
    pad_s: float = Field(0.2, ge=0)


class SpeechSettings(Settings):
    """Speech to text."""

    engine: Literal["faster-whisper", "openai", "azure", "none"] = "faster-whisper"
    language: str | None = None
    """`null` lets the model say."""
    # Of faster-whisper:
    weights: Weights | None = None
    beam_size: int = Field(5, ge=1)
    batch_size: int = Field(8, ge=1)
    """Windows of speech that are decoded at once; halved where the device has no room for them."""
    pause_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Longest pause within a window. Stretches of voice with longer ones between them are heard
    apart; 0 hears each alone. `null` takes what the weights say of themselves, or else 3."""
    # Of openai and azure. Their keys come from the environment alone.
    model: str = "whisper-1"
    """Of openai, one that answers with times; of azure, the name of your deployment."""
    api_version: str = "2024-06-01"
    """Of azure."""
    concurrency: int = Field(4, ge=1)
    """Requests at once."""
    requests_per_minute: int | None = Field(None, ge=1)
    """In any minute; 3 for azure where nothing is said, which is what a deployment gets by default
    (https://learn.microsoft.com/azure/ai-services/openai/quotas-limits). OpenAI's differ by model
    and account, so that `null`, no limit of ours, leaves it to the service to refuse."""
    attempts: int = Field(6, ge=1)
    """Requests for one chunk before it is given up."""
    timeout_s: float = Field(600.0, gt=0)
    """When a request that gets no answer is given up; the `openai` package's own default."""

    @model_validator(mode="before")
    @classmethod
    def _azure_has_a_limit(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("engine") == "azure":
            return {"requests_per_minute": 3, **values}
        return values


class SoundsSettings(Settings):
    """Audio events by an audio spectrogram transformer."""

    weights: Weights | None = None
    top_k: int = Field(3, ge=1)
    min_score: float = Field(0.1, ge=0, le=1)
    batch_size: int = Field(32, ge=1)


class ObjectsSettings(Settings):
    """Object detection by a YOLO model."""

    weights: Weights | None = None
    frames_per_second: float = Field(1.0, gt=0)
    image_px: int = Field(640, ge=32)
    min_score: float = Field(0.35, ge=0, le=1)
    batch_size: int = Field(32, ge=1)
    tracker: Literal["none", "bytetrack", "botsort"] = "none"
    """Gives each thing a number that it keeps from frame to frame."""


class Base(Settings):
    """A profile of base processing."""

    name: str
    title: str
    stages: tuple[str, ...] = ("scenes", "speech", "sounds", "objects")
    """Analyzers to run: files in `kairos_lib/stages/`. What they need is added."""
    device_memory_mib: int = Field(8000, ge=1)
    """What stages that run at once may hold of a GPU's memory, going by what each declares."""
    scenes: ScenesSettings = ScenesSettings()
    audio: AudioSettings = AudioSettings()
    vad: VadSettings = VadSettings()
    speech: SpeechSettings = SpeechSettings()
    sounds: SoundsSettings = SoundsSettings()
    objects: ObjectsSettings = ObjectsSettings()
    timeout_s: float = Field(6 * 3600.0, gt=0)

    @model_validator(mode="after")
    def _finds_what_is_there(self) -> Base:
        for part in (self.speech, self.sounds, self.objects):
            if part.weights is not None and part.weights.source in ("dummy", "server"):
                raise ValueError(f"weights of source {part.weights.source} are for models alone")
        return self


class Suite(Settings):
    """A benchmark: models by videos."""

    name: str
    title: str
    models: Annotated[tuple[str, ...], Field(min_length=1, max_length=ENTRIES_AT_MOST)]
    """Names, patterns (`nano*`) or ranges (`game-[0..39]`)."""
    videos: Annotated[tuple[str, ...], Field(min_length=1, max_length=ENTRIES_AT_MOST)]
    """Likewise."""
    base: str | None = None
    """Base profile; where it is not given, the first model's own."""
    repeats: int = Field(1, ge=1, le=REPEATS_AT_MOST)
    weights: Literal["own", "dummy"] = "own"
    """`dummy` runs every model at full size with random weights, which need no download."""
    variants: Annotated[
        dict[Annotated[str, Field(pattern=f"^{NAME}$")], Changes],
        Field(max_length=VARIANTS_AT_MOST),
    ] = {}
    """Each model as it is changed by each of these, under the name `<model>-<variant>`."""
    price_per_hour: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Of the machine, for what an hour of video costs; `null` leaves that out."""
    currency: str = Field("USD", min_length=1, max_length=8)
