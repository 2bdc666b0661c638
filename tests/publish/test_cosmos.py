"""`kairos publish` to an emulator of Azure Cosmos DB, over a real socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.cosmos_emulator import KEY, Asked, Fault, Proxy, emulator
from helpers.suites import SuiteMaker

from kairos_lib.errors import KairosError
from kairos_lib.media.facts import VideoFacts
from kairos_lib.publish import cosmos, documents, publishing
from kairos_lib.publish.chosen import LeftOut, choose
from kairos_lib.publish.publishing import Published
from kairos_lib.remote import patience
from kairos_lib.results import suite

pytestmark = pytest.mark.services
MATCH = "0" * 64
OF_A_VIDEO = "SELECT * FROM c WHERE c.video_id = @video_id"
QUERIES = {"videos": OF_A_VIDEO, "scenes": f"{OF_A_VIDEO} ORDER BY c.scene.index"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with emulator() as port:
        yield port


@pytest.fixture
def proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A database of this test's own, behind a proxy; waits are short."""
    with Proxy(port) as proxy:
        monkeypatch.setenv("COSMOS_ENDPOINT", proxy.url)
        monkeypatch.setenv("COSMOS_KEY", KEY)
        monkeypatch.setenv("COSMOS_DATABASE", f"test-{uuid.uuid4().hex}")
        monkeypatch.setattr(patience, "PACE", patience.Pace(first_wait_s=0.001))
        yield proxy


def published(maker: SuiteMaker) -> list[Published | LeftOut]:
    data = suite.read(maker.write(), "demo")
    store = publishing.opened(maker.project, "cosmos")
    return list(publishing.publish(data, choose(data, (), ()), store))


def command(maker: SuiteMaker) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kairos_lib.cli", "publish", "--to", "cosmos"],
        env={**os.environ, "KAIROS_ROOT": str(maker.project.root)}, cwd=maker.project.root,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def there(video_id: str = MATCH) -> dict[str, list[dict[str, Any]]]:
    """All documents of a video, as a site would ask for them: by one query of one partition."""
    from azure.cosmos import CosmosClient

    client = CosmosClient(
        os.environ["COSMOS_ENDPOINT"], credential=KEY, enable_endpoint_discovery=False
    )
    database = client.get_database_client(os.environ["COSMOS_DATABASE"])
    own = {"name": "@video_id", "value": video_id}
    found = {}
    for name, query in QUERIES.items():
        items = database.get_container_client(name).query_items(
            query, parameters=[own], partition_key=video_id
        )
        # Fields with `_` are the database's.
        found[name] = [{k: v for k, v in one.items() if k[0] != "_"} for one in items]
    return found


def expected(maker: SuiteMaker) -> dict[str, list[dict[str, Any]]]:
    """The same documents, as they are made."""
    data = suite.read(maker.project, "demo")
    (base,) = data.bases
    chosen = choose(data, (), ())
    assert base.result is not None
    said = publishing.captioned(chosen, base.planned.video)[0]
    made = documents.edition(data, base, base.result, said)
    return {"videos": [made.video], "scenes": list(made.again())}


def test_all_scenes_of_a_video_are_had_by_one_query_in_their_order(
    maker: SuiteMaker, proxy: Proxy
) -> None:
    maker.base(scenes=4)
    maker.done("a")
    maker.done("b")
    assert published(maker) == [Published("Match", MATCH, 4, 2, 4, False)]
    assert there() == expected(maker)
    writes = [one for one in proxy.asked if one.writes]
    assert writes[-1].path.split("/")[4] == "videos"  # The sign of completion.
    assert proxy.batches and {one.path.split("/")[4] for one in proxy.batches} == {"scenes"}
    keys = {one.headers["x-ms-documentdb-partitionkey"] for one in writes}
    assert {json.loads(key)[0] for key in keys} == {MATCH}


def test_a_second_run_writes_nothing(maker: SuiteMaker, proxy: Proxy) -> None:
    maker.base()
    maker.done()
    published(maker)
    proxy.asked.clear()
    assert published(maker) == [Published("Match", MATCH, 3, 1, 0, True)]
    assert not [one for one in proxy.asked if one.writes]


def test_101_scenes_go_in_two_batches(maker: SuiteMaker, proxy: Proxy) -> None:
    maker.base(scenes=101)
    published(maker)
    assert [len(one.operations) for one in proxy.batches] == [100, 1]
    assert [one["scene"]["index"] for one in there()["scenes"]] == list(range(101))


def test_batches_and_scenes_are_within_what_the_service_takes(
    maker: SuiteMaker, proxy: Proxy
) -> None:
    maker.base(scenes=4)
    maker.done(captions=["я" * 150_000] * 4)
    published(maker)
    assert [len(one.operations) for one in proxy.batches] == [2, 2]
    assert all(len(one.body) < 2_000_000 for one in proxy.batches)
    assert there() == expected(maker)
    proxy.asked.clear()
    maker.done("large", captions=["x", "x" * 2_000_000, "x", "x"])
    (refused,) = published(maker)
    assert isinstance(refused, LeftOut) and "scene 2 of Match is 2.9 MB as JSON" in refused.why
    assert not [one for one in proxy.asked if one.writes]


def test_a_run_that_was_killed_is_gone_on_with_to_the_same_documents(
    maker: SuiteMaker, proxy: Proxy
) -> None:
    maker.base(scenes=250)
    published(maker)
    maker.done()
    maker.write()
    proxy.asked.clear()
    running: list[subprocess.Popen[str]] = []

    def kill(asked: Asked) -> Fault:
        if len(proxy.batches) == 2:
            running[0].send_signal(signal.SIGKILL)
            return 503, {}, b"{}"
        return None

    proxy.disturb = kill
    running.append(command(maker))
    assert running[0].wait(timeout=120) == -signal.SIGKILL
    proxy.disturb = lambda asked: None
    half = there()
    assert not half["videos"]
    assert [bool(scene["captions"]) for scene in half["scenes"]] == [True] * 100 + [False] * 150
    proxy.asked.clear()
    assert published(maker) == [Published("Match", MATCH, 250, 1, 150, False)]
    assert [len(one.operations) for one in proxy.batches] == [100, 50]
    assert there() == expected(maker)


def test_what_is_left_of_a_longer_edition_is_gone_before_the_video_is_there(
    maker: SuiteMaker, proxy: Proxy
) -> None:
    maker.base(scenes=105)
    published(maker)
    maker.bases.clear()
    maker.base(scenes=2)
    seen: list[int] = []

    def look(asked: Asked) -> Fault:
        if asked.writes and asked.path.split("/")[4] == "videos" and asked.method == "POST":
            proxy.disturb = lambda asked: None
            seen.append(len(there()["scenes"]))
        return None

    proxy.disturb = look
    assert published(maker) == [Published("Match", MATCH, 2, 0, 103, False)]
    assert seen == [2]
    assert there() == expected(maker)


def test_two_videos_are_two_partitions(maker: SuiteMaker, proxy: Proxy) -> None:
    other = "b2" * 32
    maker.base()
    maker.base("other", title="Other", scenes=2, facts=VideoFacts(
        sha256=other, size_bytes=1, duration_s=20, width=64, height=36, frames_per_second=25,
        codec="h264",
    ))  # fmt: skip
    published(maker)
    assert [len(there(video)["scenes"]) for video in (MATCH, other)] == [3, 2]


def refusal(status: int, wait_ms: str = "") -> Fault:
    headers = {"x-ms-retry-after-ms": wait_ms} if wait_ms else {}
    return status, headers, json.dumps({"code": str(status), "message": "So it is."}).encode()


@pytest.mark.parametrize("within", [False, True], ids=["a request", "an operation of a batch"])
def test_too_many_requests_are_waited_for_as_long_as_asked(
    maker: SuiteMaker, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    """Azure answers a batch of which an operation is refused with 207."""
    maker.base()
    waits: list[float] = []
    wait = patience.Limits.pause
    monkeypatch.setattr(
        patience.Limits, "pause", lambda self, s: (waits.append(s), wait(self, s))[1]
    )

    def refuse(asked: Asked) -> Fault:
        if not asked.operations or len(proxy.batches) > 5:
            return None
        if not within:
            return refusal(429, "30")
        first = {"statusCode": 429, "requestCharge": 0, "retryAfterMilliseconds": 30}
        rest = [{"statusCode": 424, "requestCharge": 0} for _ in asked.operations[1:]]
        return 207, {}, json.dumps([first, *rest]).encode()

    proxy.disturb = refuse
    assert published(maker) == [Published("Match", MATCH, 3, 0, 3, False)]
    assert waits and min(waits) >= 0.03
    assert len(proxy.batches) == 6
    assert there() == expected(maker)


def test_patience_has_an_end_and_nothing_says_that_the_video_is_there(
    maker: SuiteMaker, proxy: Proxy
) -> None:
    maker.base()
    proxy.disturb = lambda asked: refusal(429, "1") if asked.operations else None
    with pytest.raises(KairosError) as raised:
        published(maker)
    assert str(raised.value).startswith("Cosmos DB did not answer in 12 attempts, the last: 429")
    assert "what is done is kept" in str(raised.value)
    assert not there()["videos"]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "check COSMOS_ENDPOINT and COSMOS_KEY"),
        (403, "check that COSMOS_KEY may write"),
        (400, "this will not change by trying again"),
    ],
)
def test_a_refusal_is_one_line_without_the_key(
    maker: SuiteMaker, proxy: Proxy, status: int, advice: str
) -> None:
    maker.base()
    maker.write()
    message = json.dumps({"code": "No", "message": f"{KEY} is no good.\r\nActivityId: 1"}).encode()
    proxy.disturb = lambda asked: (status, {}, message) if asked.writes else None
    running = command(maker)
    out, error = running.communicate(timeout=120)
    assert (running.returncode, out) == (2, "")
    assert error.count("\n") == 1 and KEY not in error
    assert error.startswith(f"kairos: Cosmos DB refused: {status}: ") and advice in error


def test_a_container_with_another_partition_key_is_refused(maker: SuiteMaker, proxy: Proxy) -> None:
    from azure.cosmos import CosmosClient, PartitionKey

    client = CosmosClient(proxy.url, credential=KEY, enable_endpoint_discovery=False)
    database = client.create_database(os.environ["COSMOS_DATABASE"])
    database.create_container("scenes", partition_key=PartitionKey("/id"))
    maker.base()
    with pytest.raises(KairosError, match="container scenes is partitioned by /id, not /video_id"):
        published(maker)


def test_waiting_is_read_from_a_request_and_from_a_batch() -> None:
    class Refused:
        def __init__(self, headers: dict[str, str], *answers: dict[str, Any]) -> None:
            self.headers = headers
            self.operation_responses = answers

    assert cosmos.wait_of(Refused({"x-ms-retry-after-ms": "250"})) == 0.25
    assert cosmos.wait_of(Refused({}, {}, {"retryAfterMilliseconds": 40})) == 0.04
    assert cosmos.wait_of(Refused({"x-ms-retry-after-ms": "soon"}, {})) is None
