"""Schema of a file in `parameters/models`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from kairos_lib.parameters.settings import ParameterFile, Settings
from kairos_lib.parameters.weights import Weights


class Frames(Settings):
    """Which frames of a scene a model sees."""

    sampling: Literal["start_middle", "even"] = "start_middle"
    count: int = Field(2, ge=1, le=16)
    """Frames per scene; always two for `start_middle`."""
    longest_px: int = Field(336, ge=16)
    """Length of the longer side; smaller frames are not enlarged."""


class Prompt(Settings):
    """The prompt of a model."""

    instruction: str
    context: tuple[str, ...] = ("speech", "sounds", "objects")
    """Findings of base processing that go into the prompt: names of analyzers, one line each."""


class Generation(Settings):
    """How a model generates text."""

    max_new_tokens: int = Field(256, ge=1)
    num_beams: int = Field(1, ge=1)
    min_new_tokens: int = Field(0, ge=0)


ALLOCATOR = "PYTORCH_ALLOC_CONF"
"""Read by torch when it is imported."""
NOT_OF_SERVERS = frozenset(
    {"dtype", "quantisation", "device", "attention", "processor", "allocator"}
)
"""Parameters that would have no effect for a model on a server."""


class Server(Settings):
    """Address and limits of a server, for models of the family `openai`."""

    base_url: str | None = None
    """`null` takes OPENAI_BASE_URL from the environment, or OpenAI's own address."""
    key_name: str | None = "OPENAI_API_KEY"
    """The environment variable that holds the key, whose name ends in `_API_KEY`; `null` for a
    server that needs none."""
    concurrency: int = Field(8, ge=1)
    """Requests at once."""
    requests_per_minute: int | None = Field(None, ge=1)
    """Requests in any minute; `null` leaves it to the server to refuse."""
    attempts: int = Field(6, ge=1)
    """Requests for one caption before giving up."""
    timeout_s: float = Field(600.0, gt=0)
    asked_for_usage: bool = True
    """Whether to request the token counts; `transformers serve` rejects that request, and sends
    them anyway."""

    @model_validator(mode="after")
    def _only_keys_are_sent(self) -> Server:
        # A model's file may come from anyone, and the environment holds other secrets.
        if self.key_name is not None and not re.fullmatch(r"[A-Z0-9_]+_API_KEY", self.key_name):
            raise ValueError(f"key_name must end in _API_KEY, not be {self.key_name!r}")
        return self


class Model(ParameterFile):
    """One vision-language model and everything that its results depend on."""

    folder: ClassVar[str] = "models"
    title: str
    family: str
    """Name of the adapter: a file in `kairos_lib/vlm/families/`."""
    weights: Weights
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Precision of the arithmetic, and of the weights if they are not quantised."""
    quantisation: Literal["none", "int8", "nf4"] = "none"
    """How weights are quantised while they are loaded; `none` takes them as they are, whether
    quantised already or not."""
    device: str = "auto"
    """`cpu`, `cuda` (the first GPU), one of several (`cuda:1`), or `auto`: all available GPUs, or
    the CPU if there is none."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    frames: Frames = Frames()
    prompt: Prompt
    generation: Generation = Generation()
    processor: dict[str, int | float] = Field(default_factory=dict)
    """Settings of the family's own processor, by its names, such as `num_crops` of phi35."""
    server: Server = Server()
    """For the family `openai`."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 8
    """Scenes that are captioned at once, halved if the device has no room for them; `auto` uses the
    available memory."""
    single_stream_scenes: int = Field(16, ge=1)
    """Size of the sample of scenes, spread evenly, for the single-stream scenario."""
    base: str = "default"
    """Base profile used when no suite names one."""
    events: str = "soccer"
    """Task of event spotting used when none is named."""
    allocator: str = ""
    """torch's PYTORCH_ALLOC_CONF on a GPU, such as `expandable_segments:True`."""
    kernel: str = "python3"
    """Jupyter kernelspec whose environment runs this model."""
    timeout_s: float = Field(6 * 3600.0, gt=0)

    @property
    def kernel_environment(self) -> dict[str, str]:
        """Variables that its kernel must have."""
        return {ALLOCATOR: self.allocator} if self.allocator else {}

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", device):
            raise ValueError(f"must be auto, cpu, cuda or cuda:N, not {device!r}")
        return device

    @model_validator(mode="after")
    def _a_server_decides_for_itself(self) -> Model:
        if (self.weights.source == "server") != (self.family == "openai"):
            raise ValueError("family: openai and weights of source: server go together")
        if self.weights.source == "server":
            for name in NOT_OF_SERVERS & self.model_fields_set:
                raise ValueError(f"a server decides on its {name} itself: leave it out")
            if self.generation.num_beams > 1 or self.generation.min_new_tokens:
                raise ValueError("a server does not support num_beams and min_new_tokens")
        return self
