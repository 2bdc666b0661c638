"""What a user asks for of event spotting, as a suite."""

from __future__ import annotations

import hashlib
import json

from kairos_lib.bench.events_plan import EventsRequest
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.bench.suite_names import HASH_DIGITS
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project

OTHERWISE = ("from_s", "to_s")
"""What makes other events beside task, models and videos. How work is shared out does not."""


def events_suite(
    project: Project,
    asked: EventsRequest,
    model: str,
    video: str,
    model_id: str = "",
    weights: str = "",
) -> Suite:
    """The suite that a user asks for; its report takes no other request's place.

    Raises:
        KairosError: What was asked for does not exist, or is not enough to go by.
    """
    request = BenchRequest(model=model, video=video, model_id=model_id, weights=weights)
    suite = suite_of(project, request)
    title = f"Events: {suite.title}"
    name = f"events-{suite.name}"
    if asked.task:
        title += f", {load(project, Spotting, asked.task).title}"
    told = {key: value for key, value in asked.model_dump().items() if key in OTHERWISE and value}
    if asked.task or told:
        told["task"] = asked.task
        digits = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        name += f"-{digits[:HASH_DIGITS]}"
    if "from_s" in told or "to_s" in told:
        end = "the end" if asked.to_s is None else f"{asked.to_s:g} s"
        title += f", {asked.from_s:g} s to {end}"
    return suite.model_copy(update={"name": name, "title": title})
