"""Models that are kept: whoever wants one again has it without loading."""

import gc
import threading
import time
from pathlib import Path

import pytest
from helpers.clips import COLOURS, write_clip
from helpers.projects import make_project, write_parameters

from kairos_lib.parameters import yaml_files
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.pool import Key, Pool

ROOT = Path(__file__).parents[2]


def key(name: str, device: str = "cpu") -> Key:
    return Key(name, "{}", "sha", device)


def use(pool: Pool, name: str, mib: int = 100, device: str = "cpu") -> object:
    with pool.using(key(name, device), mib, object) as model:
        return model


def test_a_model_is_loaded_once() -> None:
    pool = Pool(1000)
    assert use(pool, "a") is use(pool, "a")
    assert (pool.loads, pool.hits, pool.evictions) == (1, 1, 0)


def test_another_device_or_weights_are_another_model() -> None:
    pool = Pool(1000)
    first = use(pool, "a", device="cuda:0")
    assert use(pool, "a", device="cuda:1") is not first
    assert pool.loads == 2


def test_the_one_that_was_used_longest_ago_makes_room() -> None:
    pool = Pool(300)
    first = {name: use(pool, name) for name in ("a", "b", "c")}
    assert use(pool, "a") is first["a"]
    use(pool, "d")
    assert pool.evictions == 1
    assert use(pool, "a") is first["a"]
    assert use(pool, "c") is first["c"]
    assert use(pool, "b") is not first["b"]


def test_one_that_claims_more_than_there_is_is_loaded_alone() -> None:
    pool = Pool(300)
    use(pool, "a")
    use(pool, "huge", mib=5000)
    assert (pool.loads, pool.evictions) == (2, 1)


def test_what_is_in_use_is_never_given_up_and_others_wait_for_it() -> None:
    pool = Pool(100)
    events: list[str] = []

    def want() -> None:
        with pool.using(key("b"), 100, object):
            events.append("b has it")

    with pool.using(key("a"), 100, object):
        other = threading.Thread(target=want)
        other.start()
        time.sleep(0.2)
        events.append("a gives it back")
    other.join(5)
    assert events == ["a gives it back", "b has it"]
    assert pool.evictions == 1


def test_two_never_use_one_model_at_once() -> None:
    pool = Pool(1000)
    inside: list[int] = []
    at_once: list[int] = []

    def want() -> None:
        with pool.using(key("a"), 100, object):
            inside.append(1)
            time.sleep(0.02)
            at_once.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert at_once == [1] * 8
    assert (pool.loads, pool.hits) == (1, 7)


def test_one_that_cannot_be_loaded_is_tried_again() -> None:
    pool = Pool(1000)

    def fail() -> object:
        raise OSError("no such file")

    with pytest.raises(OSError), pool.using(key("a"), 100, fail):
        pass
    assert use(pool, "a")
    assert pool.loads == 2


def test_analyzers_load_their_models_once_for_two_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    profile = yaml_files.read(ROOT / "parameters" / "base" / "nano.yaml", "nano.yaml")
    write_parameters(project, "base", "all", profile)
    pool = Pool(8000)
    counts = []
    for number, name in enumerate(("first", "second")):
        clip = write_clip(tmp_path / f"{name}.mp4", COLOURS[number : number + 4])
        BaseSession.open(str(clip), "all", pool).process()
        counts.append((pool.loads, pool.hits))
    assert counts[0][1] == 0
    assert counts[1] == (counts[0][0], counts[0][0])


def test_a_model_that_was_given_up_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its memory would not come back: analyzers let go of what the pool gives up."""

    def alive() -> list[str]:
        gc.collect()
        kinds = {"WhisperModel", "YOLO", "Classifier"}
        return [name for one in gc.get_objects() if (name := type(one).__name__) in kinds]

    project = make_project(tmp_path / "project")
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    profile = yaml_files.read(ROOT / "parameters" / "base" / "nano.yaml", "nano.yaml")
    write_parameters(project, "base", "all", profile)
    before = alive()
    pool = Pool(1)
    session = BaseSession.open(str(ROOT / "kairos_lib/nano/clips/demo-speech.mp4"), "all", pool)
    session.process()
    assert (pool.loads, pool.evictions) == (3, 2)
    assert len(alive()) == len(before) + 1
    assert session
