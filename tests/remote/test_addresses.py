"""Where keys may be sent: only where nobody reads them on the way, and only keys."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from helpers.projects import fill, served_model, write_parameters
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kairos_lib.analyzers.speech.service import AzureService, OpenAIService
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.bench.display import plan_lines
from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.errors import KairosError
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.remote.service import RefusedError, checked_address
from kairos_lib.vlm.families.openai import ChatService

KEY = "sk-test-0d5e11"
SEEDED = settings(derandomize=True, deadline=None, max_examples=200)
HERE = ("127.0.0.1", "127.8.0.9", "[::1]", "localhost")
AWAY = (
    "example.org", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "10.0.0.1",
    "128.0.0.1", "[::2]", "127.1", "localhosts", "[fe80::1]",
)  # fmt: skip


@SEEDED
@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.sampled_from(HERE + AWAY),
    port=st.sampled_from(["", ":8000"]),
    path=st.sampled_from(["", "/", "/v1", "/127.0.0.1", "/?a=localhost", "#localhost"]),
    key=st.sampled_from(["OPENAI_API_KEY", None]),
)
def test_a_key_goes_by_https_or_stays_on_this_machine(
    scheme: str, host: str, port: str, path: str, key: str | None
) -> None:
    address = f"{scheme}://{host}{port}{path}"
    if key is None or scheme == "https" or host in HERE:
        assert checked_address("X", address, key) == address
    else:
        with pytest.raises(KairosError, match="X must begin with https://, since OPENAI_API_KEY"):
            checked_address("X", address, key)


@SEEDED
@given(st.text(st.sampled_from(list("htps:/[]@\\ .1a\0\n#?é%")), max_size=24))
@example("http://127.0.0.1\\@example.org")
@example("http://me:secret@127.0.0.1")
@example("http://[127.0.0.1")
@example("http://127.0.0.1:99999")
@example("https://")
@example("ftp://127.0.0.1")
@example("http://127.0.0.1 .example.org")
def test_what_is_no_address_is_one_line(text: str) -> None:
    for whole in (text, f"http://{text}", f"http://127.0.0.1{text}"):
        try:
            found = checked_address("X", whole, "OPENAI_API_KEY")
        except KairosError as error:
            assert str(error).startswith("X must ")
            assert "secret" not in str(error)
        else:
            assert found.isprintable()
            assert not set(found) & set(" \\")
            assert found.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))


@SEEDED
@given(st.from_regex(r"[A-Z_]{0,8}(KEY|_API_KEY|TOKEN|api_key)[A-Z ]?", fullmatch=True))
@example("AWS_SECRET_ACCESS_KEY")
@example("HF_TOKEN")
@example("OPENAI_API_KEY")
@example("PATH")
@example("X_API_KEY\n")
def test_a_model_file_can_have_nothing_sent_but_keys(name: str) -> None:
    values = {**served_model("m", {"key_name": name}), "name": "m"}
    if name.endswith("_API_KEY") and name != "_API_KEY":
        assert Model.model_validate(values).server.key_name == name
    else:
        with pytest.raises(ValueError, match="key_name must end in _API_KEY"):
            Model.model_validate(values)


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody on to `/there`, and notes what they had with them."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, str(self.headers)))  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("Location", self.server.there)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def servers() -> Iterator[list[ThreadingHTTPServer]]:
    """One that sends to another, by a name that is another host's to whoever asks."""
    made = [ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) for _ in range(2)]
    for one in made:
        one.seen = []  # type: ignore[attr-defined]
        one.there = f"http://localhost:{made[1].server_port}/there"  # type: ignore[attr-defined]
        Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    for one in made:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("kind", ["chat", "openai", "azure"])
def test_a_redirect_takes_no_key_elsewhere(
    servers: list[ThreadingHTTPServer], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    address = f"http://127.0.0.1:{servers[0].server_port}"
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", address)
    with pytest.raises(RefusedError, match="307"):
        if kind == "chat":
            served = {**served_model("m", {"base_url": address}), "name": "m"}
            ChatService(Model.model_validate(served)).ask([], 1)
        else:
            service = AzureService if kind == "azure" else OpenAIService
            service(SpeechSettings(engine=kind)).ask(b"")  # type: ignore[arg-type]
    first, second = (one.seen for one in servers)  # type: ignore[attr-defined]
    assert KEY in first[0][1]
    assert second == []


@pytest.fixture
def small(project: Project, clip: Path) -> Project:
    """A project whose model's weights are not there: nothing is run."""
    fill(project, clip, project.root / "weights")
    return project


def told(project: Project, model: str, base: str = "") -> str:
    """What a plan says; one that cannot be made says why."""
    asked = BenchRequest(model=model, video="twelve", base=base)
    try:
        return "\n".join(plan_lines(project, make_plan(project, suite_of(project, asked))))
    except KairosError as error:
        return str(error)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({"base_url": "http://s.example/v1", "key_name": None}, "to http://s.example, with no key"),
        ({"base_url": "https://s.example/v1"}, "sends to https://s.example, with OPENAI_API_KEY"),
        ({"base_url": None}, "sends to https://api.openai.com, with OPENAI_API_KEY"),
        ({"base_url": "http://example.org/v1"}, "must begin with https://, since OPENAI_API_KEY"),
        ({"key_name": "AWS_SECRET_ACCESS_KEY"}, "key_name must end in _API_KEY"),
    ],
)  # fmt: skip
def test_the_plan_says_where_frames_go_and_with_which_key(
    small: Project, monkeypatch: pytest.MonkeyPatch, server: dict[str, object], expected: str
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    write_parameters(small, "models", "theirs", served_model("m", server))
    assert expected in told(small, "theirs")


@pytest.mark.parametrize("engine", ["openai", "azure"])
def test_the_plan_says_where_speech_goes(
    small: Project, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    base = {"title": "B", "stages": ["scenes", "speech"], "speech": {"engine": engine}}
    write_parameters(small, "base", "paid", base)
    name = "AZURE_OPENAI_API_KEY" if engine == "azure" else "OPENAI_API_KEY"
    where = "AZURE_OPENAI_ENDPOINT" if engine == "azure" else "OPENAI_BASE_URL"
    monkeypatch.setenv(name, KEY)
    monkeypatch.setenv(where, "https://speech.example.org")
    page = told(small, "tiny", "paid")
    assert f"sends to https://speech.example.org, with {name}" in page
    assert KEY not in page
    monkeypatch.setenv(where, "http://speech.example.org")
    page = told(small, "tiny", "paid")
    assert f"{where} must begin with https://, since {name}" in page
