"""A profile of base processing: which analyzers run, and settings for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, create_model, model_validator

from kairos_lib.analyzers.analyzer import find, names
from kairos_lib.parameters.settings import ParameterFile, Settings


class _Profile(ParameterFile):
    """A profile of base processing.

    It has a section for each analyzer that exists, named after it: `profile.speech`, say.
    """

    folder: ClassVar[str] = "base"
    title: str
    stages: tuple[str, ...] = ("scenes", "speech", "sounds", "objects")
    """Analyzers to run. Those that they need are added."""
    device_memory_mib: int = Field(8000, ge=1)
    """GPU memory for stages that run at once, by what each declares."""
    timeout_s: float = Field(6 * 3600.0, gt=0)

    @model_validator(mode="after")
    def _finds_what_is_there(self) -> _Profile:
        for name in names():
            weights = getattr(getattr(self, name, None), "weights", None)
            if weights is not None and weights.source in ("dummy", "server"):
                raise ValueError(f"weights of source {weights.source} are for models alone")
        return self

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def _sections() -> dict[str, Any]:
    """The settings of every analyzer that has any, with their defaults."""
    kinds = {name: find(name).settings for name in names()}
    return {name: (kind, kind()) for name, kind in kinds.items() if kind is not Settings}


if TYPE_CHECKING:

    class Base(_Profile):
        """A profile of base processing."""
else:
    Base = create_model("Base", __base__=_Profile, __doc__=_Profile.__doc__, **_sections())
