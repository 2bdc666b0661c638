from collections.abc import Sequence

import pytest

from kairos_lib.analyzers.batching import Batches
from kairos_lib.errors import KairosError


class Device:
    """Doubles numbers, as many at once as it has room for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.tried: list[int] = []

    def work(self, batch: Sequence[int]) -> list[int]:
        self.tried.append(len(batch))
        if len(batch) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [2 * number for number in batch]


@pytest.mark.parametrize("room", [1, 2, 3, 7, 8, 99])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(room: int) -> None:
    batches = Batches(Device(room).work, 8)
    assert list(batches.results(range(21))) == [(n, 2 * n) for n in range(21)]
    assert batches.size == min(8, max(size for size in (1, 2, 4, 8) if size <= room))


def test_the_size_that_fitted_is_kept() -> None:
    device = Device(2)
    list(Batches(device.work, 8).results(range(12)))
    assert device.tried == [8, 4, 2, 2, 2, 2, 2, 2]


def test_a_single_item_that_does_not_fit_is_one_line() -> None:
    with pytest.raises(KairosError, match="out of memory with a single item"):
        list(Batches(Device(0).work, 4).results(range(3)))


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    def broken(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(broken, 4).results(range(3)))
