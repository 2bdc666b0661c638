"""Any model that transformers loads as image-text-to-text, with its own chat template."""

from __future__ import annotations

from typing import ClassVar

from kairos_lib.vlm.transformers_adapter import TransformersAdapter


class Family(TransformersAdapter):
    """Frames as pictures, in the order of time."""

    version: ClassVar[int] = 1
    model_class: ClassVar[str] = "AutoModelForImageTextToText"
