"""`/v1/analyzers` and `/v1/models`: what can be asked for."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from kairos_lib.analyzers.analyzer import names as analyzer_names
from kairos_lib.parameters import loading
from kairos_lib.parameters.model import Model
from kairos_lib.serve.api.jobs import TheSetting
from kairos_lib.serve.api.problems import documented

router = APIRouter(prefix="/v1", tags=["catalogue"])


class AnalyzerView(BaseModel):
    """One analyzer that exists."""

    id: str
    group: str
    """The group whose processes run it; empty if none does."""
    served: bool


class AnalyzerList(BaseModel):
    """The analyzers that exist."""

    analyzers: list[AnalyzerView]


class ModelView(BaseModel):
    """One model, in the form of OpenAI's list with what else is known."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["kairos"] = "kairos"
    title: str
    group: str
    """The group whose processes hold it; empty if none does."""
    served: bool
    default: bool
    """Whether it captions unless a job names another."""


class ModelList(BaseModel):
    """The models that have a parameter file."""

    object: Literal["list"] = "list"
    data: list[ModelView]


@router.get("/analyzers", responses=documented())
def analyzers(setting: TheSetting) -> AnalyzerList:
    """The analyzers that exist, and which group runs them."""
    groups = {name: setting.service.group_of(name) for name in analyzer_names()}
    return AnalyzerList(
        analyzers=[AnalyzerView(id=n, group=g, served=bool(g)) for n, g in groups.items()]
    )


@router.get("/models", responses=documented())
def models(setting: TheSetting) -> ModelList:
    """The models that have a parameter file, and which group holds them."""
    found = []
    for name in loading.names(setting.project, Model):
        group = setting.service.group_with(name)
        title = loading.load(setting.project, Model, name).title
        default = name == setting.service.model
        found.append(
            ModelView(id=name, title=title, group=group, served=bool(group), default=default)
        )
    return ModelList(data=found)
