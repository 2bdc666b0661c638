import threading
import time
from pathlib import Path

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.remote.limits import Limits


def test_a_place_is_free_a_minute_after_its_request_has_ended(tmp_path: Path):
    """Not after it was sent: a request that is long under way may arrive late."""
    limits = Limits(tmp_path, concurrency=4, per_minute=2, minute_s=0.4)
    ended_s = []
    for length_s in (0.0, 0.3):
        with limits.request():
            time.sleep(length_s)
        ended_s.append(time.monotonic())
    for before_s in ended_s:
        with limits.request():
            assert 0.4 <= time.monotonic() - before_s < 20


def test_requests_at_once_are_limited_over_threads(tmp_path: Path):
    limits = Limits(tmp_path, concurrency=3, per_minute=None)
    running, most = [], []

    def run() -> None:
        with limits.request():
            running.append(1)
            most.append(len(running))
            time.sleep(0.03)
            running.pop()

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 3


def test_what_a_killed_process_sent_counts_from_when_that_is_noticed(tmp_path: Path):
    (tmp_path / "minute-0.json").write_text('{"ended_at": null}')
    limits = Limits(tmp_path, concurrency=1, per_minute=1, minute_s=0.4)
    began_s = time.monotonic()
    with limits.request():
        assert time.monotonic() - began_s >= 0.4


def test_a_clock_that_was_set_back_frees_no_place_early_and_blocks_none(tmp_path: Path):
    (tmp_path / "minute-0.json").write_text(f'{{"ended_at": {time.time() + 86400}}}')
    limits = Limits(tmp_path, concurrency=1, per_minute=1, minute_s=0.3)
    began_s = time.monotonic()
    with limits.request():
        assert 0.3 <= time.monotonic() - began_s < 20


def test_who_waits_is_told_when_it_is_over(tmp_path: Path):
    limits = Limits(tmp_path, concurrency=1, per_minute=1, minute_s=60)
    with limits.request():
        pass
    threading.Timer(0.1, limits.stop, ["no credit left"]).start()
    began_s = time.monotonic()
    with pytest.raises(KairosError, match="no credit left"), limits.request():
        pass
    limits.wait(60)
    assert time.monotonic() - began_s < 30
