"""Which of a library's errors are about one scene, and which are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kairos_lib.errors import KairosError
from kairos_lib.measure.memory import is_out_of_memory
from kairos_lib.vlm.adapter import OutOfMemoryError, SceneError

REFUSALS: tuple[type[Exception], ...] = (ValueError, RuntimeError, ArithmeticError, KairosError)
"""What processors raise at a picture or at words that they cannot take: at a picture of 256:1, at a
side that comes to nothing. All others, such as a wrong type or a name or key that is not there, are
mistakes in a program and end the run."""


@contextmanager
def telling(*refusals: type[Exception]) -> Iterator[None]:
    """Have what is done within raise the errors that the engine knows.

    Args:
        refusals: Errors that are about the request. Others are passed on as they are.

    Raises:
        OutOfMemoryError: The device has no room for it.
        SceneError: It was refused.
    """
    try:
        yield
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        if is_out_of_memory(error):
            raise OutOfMemoryError(said) from error
        if isinstance(error, refusals):
            raise SceneError(said) from error
        raise
