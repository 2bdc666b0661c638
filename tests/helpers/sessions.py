"""A model's run by hand, as the notebook does it."""

from __future__ import annotations

from kairos_lib.vlm.records import VlmResult
from kairos_lib.vlm.vlm_session import VlmSession


def run_all(session: VlmSession) -> VlmResult:
    """Every cell of the notebook."""
    session.load()
    session.single_stream()
    session.offline()
    session.finish()
    result = session.result
    assert result is not None
    return result
