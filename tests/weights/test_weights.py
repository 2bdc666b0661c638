import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.parameters.weights import Weights
from kairos_lib.project import Project
from kairos_lib.weights import disk, location

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server on loopback that has one file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/a.pt" else 404)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_pinned_file_is_fetched_and_then_found(project: Project, address: str) -> None:
    wanted = Weights(source="url", id=f"{address}/a.pt", sha256=SHA256)
    assert "has not been fetched" in location.find(project, wanted).missing
    assert location.fetch(wanted) == SHA256
    found = location.find(project, wanted)
    assert found.path is not None
    assert found.path.read_bytes() == CONTENT
    assert found.identity == SHA256


def test_a_file_that_is_not_the_pinned_one_is_thrown_away(project: Project, address: str) -> None:
    wanted = Weights(source="url", id=f"{address}/a.pt", sha256="0" * 64)
    with pytest.raises(KairosError, match="not the pinned 000000000000…: it was deleted"):
        location.fetch(wanted)
    assert not list(disk.downloads().iterdir())


def test_a_download_that_fails_is_one_line(project: Project, address: str) -> None:
    with pytest.raises(KairosError, match=r"cannot fetch .*404"):
        location.fetch(Weights(source="url", id=f"{address}/b.pt", sha256=SHA256))


def test_a_changed_file_is_found_out(project: Project, address: str) -> None:
    wanted = Weights(source="url", id=f"{address}/a.pt", sha256=SHA256)
    location.fetch(wanted)
    (disk.downloads() / "a.pt").write_bytes(b"other")
    found = location.find(project, wanted)
    assert found.path is None
    assert "is not the file that the parameters pin" in found.missing


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(KairosError, match="cannot fetch a/b: ") as error:
        location.fetch(Weights(source="hub", id="a/b"))
    assert "\n" not in str(error.value)


def test_a_disk_without_room_is_told_before_the_download(tmp_path: Path) -> None:
    with pytest.raises(KairosError, match=r"takes 1000000000.0 GB .*make room"):
        disk.check_room(tmp_path / "not" / "yet", 10**18)


def test_a_folder_of_weights_is_known_by_its_content_but_its_notes(project: Project) -> None:
    folder = project.root / "w"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"1")
    wanted = Weights(source="path", id="w")
    first = location.find(project, wanted).identity
    (folder / "README.md").write_text("a note")
    assert location.find(project, wanted).identity == first
    (folder / "model.safetensors").write_bytes(b"22")
    assert location.find(project, wanted).identity != first


def hub_snapshot(cache: Path, commit: str) -> Path:
    repository = cache / "models--a--b"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_hub_model_is_known_by_its_commit(project: Project, cache: Path) -> None:
    wanted = Weights(source="hub", id="a/b")
    assert "has not been fetched" in location.find(project, wanted).missing
    folder = hub_snapshot(cache, "c0ffee")
    (folder / "model.safetensors").write_bytes(b"1")
    found = location.find(project, wanted)
    assert (found.identity, found.path) == ("a/b@c0ffee", folder)


def test_a_hub_model_with_a_missing_shard_is_not_taken_for_whole(
    project: Project, cache: Path
) -> None:
    folder = hub_snapshot(cache, "c0ffee")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "two.safetensors"}}')
    found = location.find(project, Weights(source="hub", id="a/b"))
    assert found.path is None
    assert "two.safetensors is missing" in found.missing


@pytest.mark.parametrize("content", [b"whole, and changed", b"who"])
def test_a_weight_file_that_was_changed_since_it_was_fetched_is_one_line(
    project: Project, cache: Path, content: bytes
) -> None:
    """The hub's cache links to files that are named by what is in them."""
    folder = hub_snapshot(cache, "c0ffee")
    blob = cache / "models--a--b" / "blobs" / hashlib.sha256(b"whole").hexdigest()
    blob.parent.mkdir()
    blob.write_bytes(b"whole")
    (folder / "model.safetensors").symlink_to(blob)
    wanted = Weights(source="hub", id="a/b")
    assert location.find(project, wanted).path == folder
    blob.write_bytes(content)
    found = location.find(project, wanted)
    assert found.path is None
    assert found.missing.startswith("model.safetensors is cut short or was changed")
