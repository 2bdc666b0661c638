"""Which of a library's errors are about one scene, and which are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kairos_lib.errors import KairosError
from kairos_lib.measure.memory import is_out_of_memory
from kairos_lib.vlm.adapter import OutOfMemoryError, SceneError

REFUSALS: tuple[type[Exception], ...] = (ValueError, RuntimeError, ArithmeticError, KairosError)
"""What processors raise for pictures or text that they cannot take, such as a picture of 256:1 or a
side of zero pixels. All others, such as a wrong type or a missing name or key, are bugs and end the
run."""


@contextmanager
def translating(*refusals: type[Exception]) -> Iterator[None]:
    """Translate exceptions raised inside the block to those that the engine knows.

    Args:
        refusals: Errors that are about the request. Others are passed on unchanged.

    Raises:
        OutOfMemoryError: The device does not have enough memory.
        SceneError: The request was refused.
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
