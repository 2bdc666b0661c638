"""Badges on the page: beside a number, and explained in full."""

from __future__ import annotations

from collections.abc import Iterable

from kairos_lib.report.page.html import Html, render
from kairos_lib.results.badges import Badge, ordered


def pills(badges: Iterable[Badge]) -> Html:
    """Badges as shown beside a number."""
    return render("pills", badges=ordered(badges))


def legend(badges: Iterable[Badge]) -> Html | None:
    """What each badge means, in full."""
    found = ordered(badges)
    return render("legend", badges=found) if found else None
