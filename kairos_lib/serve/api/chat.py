"""`/v1/chat/completions`: a question about a video, in the form that OpenAI's clients speak.

The question goes straight to the queue of the group that holds the model: it needs no analyzers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, ValidationError

from kairos_lib.serve.api.fetching import fetched
from kairos_lib.serve.api.jobs import TheQueues, TheSetting, check_served, check_video
from kairos_lib.serve.api.problems import Problem, documented
from kairos_lib.serve.api.queues import Queues
from kairos_lib.serve.api.records import Name
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.api.store import store
from kairos_lib.serve.contract import Answer, ChildData, cancel_key

router = APIRouter(prefix="/v1/chat", tags=["chat"])
LOOK_S = 0.1
AT_ONCE = 64
LONGEST_QUESTION = 20_000
SUFFIXES = {
    "video/mp4": ".mp4", "video/webm": ".webm", "video/x-matroska": ".mkv",
    "video/quicktime": ".mov", "video/mpeg": ".mpg",
}  # fmt: skip


def _not_streamed(value: bool) -> bool:
    if value:
        raise ValueError("answers are not streamed: leave `stream` out")
    return value


class Asked(BaseModel):
    """A part of a question; nothing unknown, so that no wish is passed over in silence."""

    model_config = ConfigDict(extra="forbid")


class Text(Asked):
    """Words."""

    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]


class VideoUrl(Asked):
    """Where the video is."""

    url: Annotated[str, Field(min_length=1)]
    """A file as for `/v1/jobs`, an address on a host that the service may ask, or a data URL."""


class VideoPart(Asked):
    """A video."""

    type: Literal["video_url"]
    video_url: VideoUrl


class SystemMessage(Asked):
    """Words before the question."""

    role: Literal["system"]
    content: Annotated[str, Field(max_length=LONGEST_QUESTION)]


class UserMessage(Asked):
    """The question: words and one video, in either order."""

    role: Literal["user"]
    content: tuple[Text, VideoPart] | tuple[VideoPart, Text]


class Question(Asked):
    """One question about one video."""

    model: Name
    messages: tuple[UserMessage] | tuple[SystemMessage, UserMessage]
    stream: Annotated[
        StrictBool, AfterValidator(_not_streamed), Field(json_schema_extra={"const": False})
    ] = False


class Said(BaseModel):
    """The model's message."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """The only answer."""

    index: int = 0
    message: Said
    finish_reason: Literal["stop", "length"]


class Usage(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """An answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


@router.post("/completions", responses=documented(404, 413, 429, 502, 504, 507))
async def complete(
    question: Question, request: Request, queues: TheQueues, setting: TheSetting
) -> Completion:
    """Ask the resident model about a video."""
    check_served(setting, question.model, None)
    running: set[str] = request.app.state.questions
    if len(running) >= AT_ONCE:
        raise Problem(429, f"{AT_ONCE} questions wait already", headers={"Retry-After": "5"})
    job_id = f"chat-{uuid.uuid4().hex}"
    running.add(job_id)
    try:
        prompt, url = _parts(question)
        path = await _video(setting, url)
        data = ChildData(
            video_path=path, model=question.model, base=setting.service.base, prompt=prompt
        )
        message = data.model_dump(mode="json", exclude_defaults=True)
        group = setting.service.group_with(question.model)
        await queues.ask(group, job_id, message)
        answer = await _answer(request, queues, setting, group, job_id)
    finally:
        running.discard(job_id)
    total = answer.prompt_tokens + answer.completion_tokens
    return Completion(
        id=job_id.replace("chat-", "chatcmpl-"),
        created=int(time.time()),
        model=question.model,
        choices=[
            Choice(
                message=Said(content=answer.answer),
                finish_reason="length" if answer.truncated else "stop",
            )
        ],
        usage=Usage(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            total_tokens=total,
        ),
    )


def _parts(question: Question) -> tuple[str, str]:
    """The words of a question and where its video is."""
    *before, user = question.messages
    words = [one.content for one in before if isinstance(one, SystemMessage) and one.content]
    url = ""
    assert isinstance(user, UserMessage)
    for part in user.content:
        if isinstance(part, Text):
            words.append(part.text)
        else:
            url = part.video_url.url
    return "\n".join(words), url


async def _video(setting: Setting, url: str) -> str:
    """The video's file, as a job names it."""
    if url.startswith("data:"):
        return await asyncio.to_thread(_decoded, setting, url)
    if url.startswith(("http://", "https://")):
        return await fetched(setting, url)
    await asyncio.to_thread(check_video, setting, url)
    return url


def _decoded(setting: Setting, url: str) -> str:
    """The file of a video in a data URL."""
    head, comma, text = url.removeprefix("data:").partition(",")
    kind, *further = head.lower().split(";")
    if not comma or further[-1:] != ["base64"]:
        raise Problem(400, "a data URL begins with data:video/mp4;base64, and has base64 after it")
    limit = setting.data_url_bytes
    # Looked at before it is decoded, which takes as much memory again.
    if len(text) * 3 // 4 - 2 > limit:
        raise Problem(413, f"a video in a data URL may have at most {limit:,} bytes: upload it")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "what follows base64, is not base64") from error
    kept = store(setting.uploads, setting.service.free_disk_mib, content, SUFFIXES.get(kind, ""))
    return setting.project.relative(kept.path)


async def _answer(
    request: Request, queues: Queues, setting: Setting, group: str, job_id: str
) -> Answer:
    """Wait for the answer; nobody works on it any more once its client has gone."""
    until_s = time.monotonic() + setting.service.timeout_s
    ended = False
    try:
        while True:
            state, returned, reason = await queues.asked(group, job_id)
            if state in ("completed", "failed"):
                ended = True
                break
            if state == "unknown":
                raise Problem(502, "the question was lost with Redis' data: ask again")
            if await request.is_disconnected():
                raise Problem(400, "the client has gone")
            if time.monotonic() > until_s:
                raise Problem(504, f"no answer within {setting.service.timeout_s:.0f} seconds")
            await asyncio.sleep(LOOK_S)
    finally:
        if not ended:
            await queues.redis.set(cancel_key(job_id), "1", ex=3600)
    if state == "failed":
        raise Problem(502, f"the model could not answer: {reason}", "no_answer")
    return _checked(returned)


def _checked(returned: Any) -> Answer:
    try:
        return Answer.model_validate(returned)
    except ValidationError as error:
        raise Problem(502, "the model's process returned no answer", "no_answer") from error
