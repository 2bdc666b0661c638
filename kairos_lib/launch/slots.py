"""Several notebooks at once, each in a slot; on a machine with GPUs each slot has its own GPU."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kairos_lib.errors import KairosError
from kairos_lib.measure import vram
from kairos_lib.measure.provenance import gpus


@dataclass(frozen=True)
class Slot:
    """Room for one notebook."""

    of: int
    """Total number of slots."""
    gpu: str | None
    """The GPU that its notebooks see; None if they see all."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make a kernel see only its own GPU."""
        return {} if self.gpu is None else {vram.VISIBLE: self.gpu}


class Slots:
    """A fixed number of slots.

    Raises:
        KairosError: There are more slots than GPUs, or the GPUs are not alike.
    """

    def __init__(self, count: int) -> None:
        ids = vram.uuids()
        if ids and count > len(ids):
            raise KairosError(
                f"SLOTS={count}: this machine has only {len(ids)} "
                f"GPU{'s' if len(ids) > 1 else ''}, and two notebooks "
                "on one would slow each other down"
            )
        if count > 1 and len(names := sorted({str(gpu["name"]) for gpu in gpus()})) > 1:
            raise KairosError(
                f"SLOTS={count}: the GPUs are not alike ({', '.join(names)}), and a time "
                "belongs to one of them: choose with CUDA_VISIBLE_DEVICES"
            )
        self._free: queue.Queue[Slot] = queue.Queue()
        self._count = count
        for number in range(count):
            self._free.put(Slot(count, ids[number] if ids and count > 1 else None))

    def run(self, works: Iterable[Callable[[Slot, threading.Event], None]]) -> None:
        """Do all works, in order, as many at once as there are slots.

        Each gets its slot and an event that is set when it must end at once.

        Raises:
            BaseException: What the first failed work raised, or Ctrl-C.
        """
        stopped = threading.Event()
        failures: list[BaseException] = []

        def work_on(work: Callable[[Slot, threading.Event], None]) -> None:
            if stopped.is_set():
                return
            slot = self._free.get()
            try:
                work(slot, stopped)
            except BaseException as error:
                # Those that ended because they had to are not the cause.
                if not stopped.is_set():
                    failures.append(error)
                stopped.set()
                raise
            finally:
                self._free.put(slot)

        with ThreadPoolExecutor(self._count, "slot") as pool:
            futures = [pool.submit(work_on, work) for work in works]
            try:
                for future in futures:
                    future.result()
            except BaseException as error:
                stopped.set()
                raise (failures[0] if failures else error) from None
