"""Settings for speech in a base profile."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights


class SpeechSettings(Settings):
    """Speech to text."""

    engine: Literal["faster-whisper", "openai", "azure", "none"] = "faster-whisper"
    language: str | None = None
    """`null` lets the model detect it."""
    # For faster-whisper:
    weights: Weights | None = None
    beam_size: int = Field(5, ge=1)
    batch_size: int = Field(8, ge=1)
    """Windows of speech that are decoded at once; halved if the device has no room for them."""
    pause_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Longest pause within a window. Parts with longer pauses between them are decoded separately;
    0 decodes each alone. `null` takes the value stored with the weights, or else 3."""
    word_times: bool = False
    """Whether each word gets its times. This takes another look at each window."""
    # For openai and azure. Their keys come only from the environment.
    model: str = "whisper-1"
    """For openai, a model that returns times; for azure, the name of your deployment."""
    api_version: str = "2024-06-01"
    """Of azure."""
    concurrency: int = Field(4, ge=1)
    """Requests at once."""
    requests_per_minute: int | None = Field(None, ge=1)
    """Requests in any minute; the default for azure is 3, the default limit of a deployment
    (https://learn.microsoft.com/azure/ai-services/openai/quotas-limits). OpenAI's limits differ by
    model and account: `null` sets no limit of ours and leaves it to the service to refuse."""
    attempts: int = Field(6, ge=1)
    """Requests for one chunk before giving up."""
    timeout_s: float = Field(600.0, gt=0)
    """Time limit of a request; the `openai` package's own default."""

    @model_validator(mode="before")
    @classmethod
    def _azure_has_a_limit(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("engine") == "azure":
            return {"requests_per_minute": 3, **values}
        return values

    @model_validator(mode="after")
    def _services_give_no_words(self) -> SpeechSettings:
        if self.word_times and self.engine in ("openai", "azure"):
            raise ValueError(f"word_times needs engine faster-whisper: {self.engine} gives none")
        return self

    @model_serializer(mode="wrap")
    def _as_before_word_times(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The keys of runs are made of this: without times of words, they stay what they were.
        values: dict[str, Any] = handler(self)
        if not self.word_times:
            values.pop("word_times", None)
        return values
