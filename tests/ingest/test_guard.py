"""A process that is guarded reaches no private place, starts nothing and writes in its folder only.

Each attempt is made in such a process, towards a server that would answer.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.video_server import VideoServer

ATTEMPTS = """
import json, os, socket, subprocess, sys, threading, urllib.request
from pathlib import Path
from kairos_lib.ingest.guard import Guard

port, folder, hosts, reachable, attempts = json.load(sys.stdin)
guard = Guard(Path(folder), hosts, reachable)
guard.install()

def connect(host):
    socket.create_connection((host, port), 2).close()

def rebound(host):
    # A name server that answered otherwise when the name was checked.
    socket.getaddrinfo = lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
    connect("example.org")

def by_name(host):
    with socket.socket() as one:
        one.connect((host, port))

def unnoticed(host):
    with socket.socket() as one:
        assert one.connect_ex((host, port)) == 0

def datagram(host):
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (host, port))

def unix(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)

def look_up(host):
    socket.getaddrinfo(host, port)

def in_thread(host):
    found = []
    def tried():
        try:
            connect(host)
        except OSError as error:
            found.append(error)
    thread = threading.Thread(target=tried)
    thread.start()
    thread.join()
    if found:
        raise found[0]

def page(url):
    urllib.request.urlopen(url, timeout=2)

def run(program):
    subprocess.run([program])

def shell(command):
    os.system(command)

def spawn(program):
    os.posix_spawn(program, [program], {})

def become(program):
    os.execv(program, [program])

def fork(_):
    if os.fork() == 0:
        os._exit(0)

def write(path):
    Path(path).write_text("x")

def move(path):
    Path(folder, "own").write_text("x")
    Path(folder, "own").rename(path)

def link(path):
    Path(folder, "linked").symlink_to(path)

def remove(path):
    Path(path).unlink()

for kind, target in attempts:
    get = socket.getaddrinfo
    try:
        globals()[kind](target)
        print(json.dumps("done"))
    except OSError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
    socket.getaddrinfo = get
print(json.dumps(guard.refused))
"""


def tried(
    attempts: list[tuple[str, str]],
    folder: Path,
    port: int,
    hosts: tuple[str, ...] = (),
    reachable: tuple[str, ...] = (),
) -> list[str]:
    """What became of each attempt, and last what the guard remembers."""
    process = subprocess.run(
        [sys.executable, "-c", ATTEMPTS],
        input=json.dumps([port, str(folder), hosts, reachable, attempts]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


@pytest.fixture(scope="module")
def server() -> Iterator[VideoServer]:
    with VideoServer(b"secret") as running:
        yield running


def port_of(server: VideoServer) -> int:
    return int(server.place.rpartition(":")[2])


LOOPBACK = [
    ("connect", "127.0.0.1"),
    ("connect", "127.1"),
    ("connect", "2130706433"),
    ("connect", "0x7f000001"),
    ("connect", "0177.0.0.1"),
    ("connect", "localhost"),
    ("connect", "0.0.0.0"),
    ("connect", "::ffff:127.0.0.1"),
    ("rebound", "127.0.0.1"),
    ("by_name", "localhost"),
    ("by_name", "127.1"),
    ("by_name", ""),
    ("unnoticed", "127.0.0.1"),
    ("datagram", "127.0.0.1"),
    ("in_thread", "127.0.0.1"),
]
"""Ways to the server, each of which leads there where nothing is guarded."""
ELSEWHERE = ["::1", "169.254.169.254", "10.0.0.1", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::"]


def test_no_spelling_and_no_way_leads_to_loopback(server: VideoServer, tmp_path: Path) -> None:
    attempts = [*LOOPBACK, ("page", f"{server.url}/clip.mp4")]
    *found, remembered = tried(attempts, tmp_path, port_of(server))
    for attempt, outcome in zip(attempts, found, strict=True):
        assert "leads to no public address" in outcome, attempt
    assert "leads to no public address" in remembered
    assert server.asked == []


def test_every_one_of_these_ways_is_one(server: VideoServer, tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""
    open_to_all = tuple(f"{host}:{port_of(server)}" for _, host in LOOPBACK)
    *found, _ = tried(LOOPBACK, tmp_path, port_of(server), reachable=open_to_all)
    assert found == ["done"] * len(LOOPBACK)


def test_nor_to_a_private_network_or_a_cloud_s_metadata(tmp_path: Path) -> None:
    attempts = [("connect", host) for host in ELSEWHERE]
    *found, _ = tried(attempts, tmp_path, 80)
    for host, outcome in zip(ELSEWHERE, found, strict=True):
        assert "leads to no public address" in outcome, host


def test_a_public_host_is_asked_on_the_ports_of_the_web_only(tmp_path: Path) -> None:
    (found, _) = tried([("connect", "93.184.216.34")], tmp_path, 25)
    assert "port 25" in found


def test_another_host_than_those_allowed_is_not_even_looked_up(
    server: VideoServer, tmp_path: Path
) -> None:
    here = (server.place,)
    attempts = [("look_up", "evil.example"), ("connect", "localhost"), ("connect", "127.0.0.1")]
    *found, _ = tried(attempts, tmp_path, port_of(server), ("127.0.0.1", "*.example.org"), here)
    assert "'evil.example' is none of the hosts" in found[0]
    assert "'localhost' is none of the hosts" in found[1]
    assert found[2] == "done"


def test_a_socket_of_this_machine_is_no_host(tmp_path: Path) -> None:
    (found, _) = tried([("unix", "/run/docker.sock")], tmp_path, 80)
    assert "leads to no public address" in found


def test_no_process_is_started(tmp_path: Path) -> None:
    true = "/bin/true"
    kinds = ("run", "shell", "spawn", "become", "fork")
    *found, remembered = tried([(kind, true) for kind in kinds], tmp_path, 80)
    assert found == ["RefusedError: no process may be started"] * len(kinds)
    assert remembered == ""  # yt-dlp looks for an ffmpeg, which is no reason to give up.


def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "own-other"
    for folder in (own, other):
        folder.mkdir()
    kept = other / "kept"
    kept.write_text("kept")
    (own / "way").symlink_to(other)
    ways = (str(other / "new"), f"{own}/../own-other/new", str(own / "way" / "new"))
    attempts = [(kind, way) for way in ways for kind in ("write", "move", "link")]
    *found, _ = tried([*attempts, ("remove", str(kept)), ("write", str(own / "mine"))], own, 80)
    assert all("may not be written" in outcome for outcome in found[:-1])
    assert found[-1] == "done"
    assert [path.name for path in other.iterdir()] == ["kept"]
    assert (own / "mine").exists()
