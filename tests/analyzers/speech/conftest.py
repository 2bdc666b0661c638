"""A service faster than life, and keys for it."""

from __future__ import annotations

import pytest

from kairos_lib.remote import patience

KEY = "sk-test-4f9a1c77d0e2"
MINUTE_S = 0.3
"""A minute, scaled by 1/200 here and at the server."""


@pytest.fixture(autouse=True)
def _scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = patience.Pace(minute_s=MINUTE_S, first_wait_s=0.02, longest_wait_s=0.1)
    monkeypatch.setattr(patience, "PACE", pace)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
