"""What a base profile may say of speech."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights


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
