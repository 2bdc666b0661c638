"""A pool of loaded models that tries twice: the second time with all others out of the way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.measure.memory import free_cached_memory
from kairos_lib.pipeline.pool import Key, Pool


class PatientPool(Pool):
    """Tries once more to load a model that cannot be loaded, with all others out of the way."""

    def using(
        self, key: Key, memory_mib: int, load: Callable[[], Any]
    ) -> contextlib._GeneratorContextManager[Any]:
        """As in a pool, with a second attempt."""
        return super().using(key, memory_mib, lambda: twice(load, self.drop_idle))


def twice(load: Callable[[], Any], make_room: Callable[[], None]) -> Any:
    """Load something; if that fails, once more after making room.

    Raises:
        KairosError: It cannot be loaded.
    """
    try:
        return load()
    except Exception:
        make_room()
        gc.unfreeze()  # Models that stayed until now may lie in cycles.
        gc.collect()
        free_cached_memory()
    try:
        return load()
    except KairosError:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        raise KairosError(
            f"a model cannot be loaded, not even alone: {type(error).__name__}: {said}"
        ) from error
