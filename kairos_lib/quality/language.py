"""Which language a caption is in, by py3langid. Knows no models."""

from __future__ import annotations

from functools import cache
from typing import Any

LEAST_LETTERS = 20
"""Shorter texts are unreliable: "A ball." is detected as Hungarian."""
LEAST_CONFIDENCE = 0.5
"""Minimum probability of py3langid, from 0 to 1; below it no language is reported."""


def language(text: str) -> str | None:
    """The ISO 639-1 code of a text's language, such as `en`.

    None if the text is too short to tell, or py3langid is not sure.
        None where the text is too short to tell, or py3langid is not sure.
    """
    if sum(character.isalpha() for character in text) < LEAST_LETTERS:
        return None
    code, confidence = _identifier().classify(text)
    # `zxx` means no language: numbers, names, noise.
    return str(code) if confidence >= LEAST_CONFIDENCE and code != "zxx" else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
