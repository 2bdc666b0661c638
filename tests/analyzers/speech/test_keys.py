"""Keys come from the environment and go nowhere but to the service."""

import logging
import subprocess
from pathlib import Path

import pytest
from helpers.talks import Talk

from kairos_lib.errors import KairosError

from .conftest import KEY


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("azure", "AZURE_OPENAI_API_KEY"),
        ("azure", "AZURE_OPENAI_ENDPOINT"),
    ],
)
@pytest.mark.parametrize("value", [None, "  "])
def test_a_missing_variable_is_named(tmp_path: Path, monkeypatch, engine, name, value):
    talk = Talk.make(tmp_path, chunks=2)
    with talk.server() as server:
        with pytest.raises(KairosError) as caught:
            talk.transcribe(server, engine=engine, environment={name: value})
        assert str(caught.value).startswith(f"{name} is not set")
        assert server.requests == []


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-schlüssel", "sk one"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_told(tmp_path: Path, key: str):
    talk = Talk.make(tmp_path, chunks=1)
    with talk.server() as server, pytest.raises(KairosError) as caught:
        talk.transcribe(server, environment={"OPENAI_API_KEY": key})
    assert "OPENAI_API_KEY holds characters" in str(caught.value)
    assert key not in str(caught.value)


def test_an_address_that_is_none_is_one_clear_line(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=1)
    for engine, name in (("openai", "OPENAI_BASE_URL"), ("azure", "AZURE_OPENAI_ENDPOINT")):
        with talk.server() as server, pytest.raises(KairosError, match=f"{name} must begin with"):
            talk.transcribe(server, engine=engine, environment={name: "my-resource"})


def test_what_is_kept_can_be_had_without_a_key(tmp_path: Path):
    talk = Talk.make(tmp_path, chunks=2)
    with talk.server() as server:
        talk.check(talk.transcribe(server))
        talk.check(talk.transcribe(server, environment={"OPENAI_API_KEY": None}))
    talk.check_paid_once(server)


@pytest.mark.parametrize("engine", ["openai", "azure"])
def test_the_key_is_never_written_or_told(tmp_path: Path, engine: str, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    talk = Talk.make(tmp_path, chunks=4)
    faults = ["ok", "500", "429-ms", "closed", "ok", "401"]  # The last answers with the key.
    with talk.server(faults=faults) as server, pytest.raises(KairosError) as caught:
        talk.transcribe(server, engine=engine, concurrency=1, requests_per_minute=None)
    assert "(key)" in str(caught.value)
    errors = [caught.value]
    while errors[-1].__context__ is not None:
        errors.append(errors[-1].__context__)
    written = [str(error) + repr(vars(error)) for error in errors]
    assert server.requests[-1].key == KEY
    assert KEY not in "".join([*written, caplog.text, *capfd.readouterr()])
    found = subprocess.run(["grep", "-r", KEY, str(tmp_path)], capture_output=True)
    assert found.stdout == b""
