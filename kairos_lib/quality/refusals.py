"""Captions that decline to describe, recognised by their phrases. Knows no models."""

from __future__ import annotations

import re

_SIGHT = "view|see|watch|access|open|process|analy[sz]e|identify|describe|caption|determine|provide"
PHRASES = (
    r"\bas an? (?:ai|artificial intelligence|language model|large language model)\b",
    r"\bi(?: am|'m) (?:an ai|sorry|afraid|unable|not able)\b",
    r"\bi (?:cannot|can't|can not|could not|couldn't|won't|will not)\b",
    r"\bi (?:do not|don't) have (?:the ability|access|any image|an image|the image|enough)\b",
    r"\bi (?:do not|don't) see (?:any|an|the) (?:image|picture|video|frame|photo)s?\b",
    rf"\bunable to (?:directly )?(?:{_SIGHT})\b",
    rf"\b(?:cannot|can't) (?:directly )?(?:{_SIGHT}) (?:the |this |that |any )?"
    r"(?:image|picture|video|frame|photo|scene|content)s?\b",
    r"\b(?:cannot|can't) (?:assist|help) with\b",
    r"\bno (?:image|picture|video|frame|photo)s? (?:was|were|is|are|has been|have been) "
    r"(?:provided|attached|given|uploaded)\b",
)
"""Regular expressions, only for English; a text is in lower case, its apostrophes straight."""
_REFUSAL = re.compile("|".join(PHRASES))
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»|„[^“”]*[“”]')


def refuses(text: str) -> bool:
    """Whether a caption declines, wholly or in part. Quotations are ignored.

    "I cannot see the image" is a refusal; `he says "I cannot"` is not.
    """
    plain = _QUOTED.sub(" ", text).lower().replace("’", "'")
    return _REFUSAL.search(" ".join(plain.split())) is not None
