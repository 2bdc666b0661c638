"""A video comes from a real server by its address, or one line says why not and what to do."""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from helpers.clips import COLOURS, write_clip
from helpers.video_server import VideoServer

from kairos_lib.errors import KairosError
from kairos_lib.ingest.fetching import PREFIX, fetch, fetched
from kairos_lib.parameters.ingest import IngestLimits

LIMITS = IngestLimits(max_mib=3, timeout_s=60)
SECONDS = 2
REFUSED = "leads to no public address"


@dataclass(frozen=True)
class Case:
    """An address of the server and what is said of it."""

    path: str
    """`{other}` is another server on this machine, as host and port."""
    said: str
    limits: dict[str, object] = field(default_factory=dict)


CASES = {
    "one spelled as a number": Case("/to?http://2130706433:{port}/clip.mp4", REFUSED),
    "a video on loopback in a page": Case("/embedded.html?http://{other}/clip.mp4", REFUSED),
    "a host that is not allowed": Case(
        "/to?http://localhost:{port}/clip.mp4",
        "'localhost' is none of the hosts that may be asked (127.0.0.1)",
        {"hosts": ("127.0.0.1",)},
    ),
    "a video that never ends": Case("/endless.mp4", "larger than 3 MiB"),
    "a page without a video": Case("/page.html", "there is no video that yt-dlp finds"),
}
FURTHER = {
    "a redirect to loopback": Case("/to?http://{other}/clip.mp4", REFUSED),
    "one to a name of loopback": Case("/to?http://localhost:{port}/clip.mp4", REFUSED),
    "one to loopback within IPv6": Case("/to?http://[::ffff:127.0.0.1]:{port}/clip.mp4", REFUSED),
    "one to a cloud's metadata": Case("/to?http://169.254.169.254/latest/", REFUSED),
    "one after another": Case("/to?/to?http://{other}/clip.mp4", REFUSED),
    "one to a file": Case("/to?file:///etc/passwd", "check the address"),
    "a length that is declared": Case("/long.html", "the video is 18,000 s long"),
    "a size declared too small": Case("/cut.mp4", "no video that can be read"),
    "a size declared too large": Case("/short.mp4", "more expected"),
    "a size that is declared": Case("/huge.mp4", "larger than 3 MiB"),
    "a file in a page": Case("/embedded.html?file:///etc/passwd", "not as one file"),
    "a page with two": Case("/two.html", "more than one video"),
    "no page": Case("/none", "HTTP Error 404: Not Found"),
    "something else": Case("/garbage.mp4", "no video that can be read"),
    "a stream": Case("/stream.m3u8", "as a stream or in parts (HLS, DASH)"),
    "another kind of stream": Case("/stream.mpd", "as a stream or in parts (HLS, DASH)"),
    "a video that is too long": Case("/clip.mp4", "the video is 2 s long", {"max_duration_s": 1.0}),
}
"""Those of which each takes a second or more of a core; `make test-services` has them."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_clip(path, COLOURS[:SECONDS]).read_bytes()


@pytest.fixture(scope="module")
def server(video: bytes) -> Iterator[VideoServer]:
    with VideoServer(video) as running:
        yield running


def said_of(cases: dict[str, Case], server: VideoServer, folder: Path) -> dict[str, str]:
    """What is said of each case; nothing is left of any, and the other server was not asked."""
    with VideoServer(server.content) as other:

        def tried(case: Case) -> str:
            port = other.place.rpartition(":")[2]
            path = case.path.replace("{other}", other.place).replace("{port}", port)
            limits = LIMITS.model_copy(update=case.limits)
            try:
                return str(fetched(server.url + path, folder, limits, reachable=[server.place]))
            except KairosError as error:
                return str(error)

        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(cases, pool.map(tried, cases.values()), strict=True))
        asked = other.asked
    assert asked == []
    assert [path.name for path in folder.iterdir()] == [f"{PREFIX}lock"]
    return found


@pytest.fixture(scope="module")
def outcomes(server: VideoServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return said_of(CASES, server, tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def further(server: VideoServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return said_of(FURTHER, server, tmp_path_factory.mktemp("in"))


@pytest.mark.parametrize("name", CASES)
def test_one_line_says_why_a_video_is_not_fetched(name: str, outcomes: dict[str, str]) -> None:
    _check(outcomes[name], CASES[name])


@pytest.mark.services
@pytest.mark.parametrize("name", FURTHER)
def test_and_so_it_is_in_all_other_cases(name: str, further: dict[str, str]) -> None:
    _check(further[name], FURTHER[name])


def _check(line: str, case: Case) -> None:
    assert case.said in line
    assert line.startswith("'http://127.0.0.1:") and "\n" not in line and PREFIX not in line


def test_a_video_arrives_whole_and_nothing_else(
    video: bytes, server: VideoServer, tmp_path: Path
) -> None:
    found = fetched(f"{server.url}/clip.mp4", tmp_path, LIMITS, reachable=[server.place])
    assert found.read_bytes() == video
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PREFIX}lock", found.name]


@pytest.mark.services
def test_a_video_is_called_by_its_content_whatever_its_address(
    video: bytes, server: VideoServer, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    paths = ("/clip.mp4", "/to?/other.mp4", "/embedded.html?/clip.mp4")

    def get(path: str) -> Path:
        return fetched(server.url + path, folder, LIMITS, reachable=[server.place])

    with ThreadPoolExecutor(2) as pool:
        (found,) = set(pool.map(get, paths))
    assert found == folder / f"{hashlib.sha256(video).hexdigest()[:16]}.mp4"
    assert found.read_bytes() == video
    assert sorted(path.name for path in folder.iterdir()) == [f"{PREFIX}lock", found.name]


def test_what_tests_may_reach_is_closed_to_everybody_else(
    server: VideoServer, tmp_path: Path
) -> None:
    with pytest.raises(KairosError, match=f"names port|{REFUSED}"):
        fetch(f"{server.url}/clip.mp4", tmp_path, LIMITS)


@pytest.mark.services
def test_a_video_that_trickles_is_given_up_when_its_time_is_over(
    server: VideoServer, tmp_path: Path
) -> None:
    limits = IngestLimits(timeout_s=4)
    began_s = time.monotonic()
    with pytest.raises(KairosError, match="took longer than 4 s: raise `timeout_s`, or download"):
        fetched(f"{server.url}/slow.mp4", tmp_path, limits, reachable=[server.place])
    assert time.monotonic() - began_s < 20
    assert psutil.Process().children() == []
    assert [path.name for path in tmp_path.iterdir()] == [f"{PREFIX}lock"]


FETCH = """
import sys
from pathlib import Path
from kairos_lib.ingest.fetching import fetched
from kairos_lib.parameters.ingest import IngestLimits
url, folder, place = sys.argv[1:]
fetched(url, Path(folder), IngestLimits(), reachable=[place])
"""


@pytest.mark.services
def test_nothing_is_left_of_a_fetch_that_was_killed(
    video: bytes, server: VideoServer, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    command = [sys.executable, "-c", FETCH, f"{server.url}/slow.mp4", str(folder), server.place]
    secret = {**os.environ, "OPENAI_API_KEY": "sk-1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    process = psutil.Popen(command, env=secret)
    try:
        guarded = _downloading(process, folder)
        assert {"OPENAI_API_KEY", "HTTPS_PROXY"}.isdisjoint(guarded.environ())
        assert server.place not in " ".join(guarded.cmdline())
        # Another that comes by while it is under way leaves it alone.
        fetched(f"{server.url}/clip.mp4", folder, LIMITS, reachable=[server.place])
        assert list(folder.glob(f"{PREFIX}*/files/*.part"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    guarded.wait(timeout=10)
    assert list(folder.glob(f"{PREFIX}*/files/*.part"))
    fetched(f"{server.url}/clip.mp4", folder, LIMITS, reachable=[server.place])
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{PREFIX}lock", f"{hashlib.sha256(video).hexdigest()[:16]}.mp4"}


def _downloading(process: psutil.Popen, folder: Path) -> psutil.Process:
    """The guarded process, once it has begun to write."""
    for _ in range(600):
        children = process.children()
        if children and list(folder.glob(f"{PREFIX}*/files/*.part")):
            return children[0]
        time.sleep(0.05)
    raise AssertionError("nothing arrived")
