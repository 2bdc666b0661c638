"""Answers a question about a whole video with a model that is loaded.

The model sees as many frames of the video as it does of a scene, and only the question: what other
analyzers find out is for captions.
"""

from __future__ import annotations

from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.media.facts import VideoFacts
from kairos_lib.parameters.model import Model
from kairos_lib.serve.contract import Answer
from kairos_lib.vlm.adapter import Adapter
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Query
from kairos_lib.vlm.sampling import frame_times_s


def answered(
    adapter: Adapter, model: Model, video: Path, facts: VideoFacts, question: str
) -> Answer:
    """Ask a model about a video.

    Args:
        adapter: The model, loaded.
        model: Its parameters, which say how many frames it sees.
        video: The file.
        facts: About it.
        question: All that the model is told.

    Raises:
        KairosError: It cannot answer, and why.
    """
    times_s = tuple(frame_times_s(0.0, facts.duration_s, model.frames))
    query = Query(0, 0.0, facts.duration_s, times_s, question)
    engine = Engine(adapter, video, model.frames.longest_px, facts.joints)
    [answer] = engine.single_stream([query])
    if answer.error:
        raise KairosError(answer.error)
    return Answer(
        answer=answer.text,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.new_tokens,
        truncated=answer.truncated,
    )
