"""A question about a whole video, answered by a model that is loaded."""

from __future__ import annotations

from kairos_lib.parameters.loading import load
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.base_session import video_facts
from kairos_lib.project import Project
from kairos_lib.serve.answering import answered
from kairos_lib.vlm.opening import loaded, weights_here
from kairos_lib.weights.location import find


def test_a_loaded_model_answers_a_question_about_a_whole_video(small: Project) -> None:
    model = load(small, Model, "tiny")
    adapter, _ = loaded(model, weights_here(small, model, find(small, model.weights)))
    video = find_video(small, "twelve")
    facts = video_facts(small, video)
    short = answered(adapter, model, video.path, facts, "What happens?")
    assert short.answer and 0 < short.completion_tokens <= model.generation.max_new_tokens
    # The whole question reaches the model, and the same question gets the same answer.
    long = answered(adapter, model, video.path, facts, "What happens in the end, and why?")
    assert long.prompt_tokens > short.prompt_tokens
    assert answered(adapter, model, video.path, facts, "What happens?") == short
