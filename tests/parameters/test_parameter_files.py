"""Parameter files of strangers: whatever is in one, it is answered by one line, and at once."""

import json
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from helpers.projects import fill, make_project, tiny_model, write_parameters
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib.analyzers.profile import Base
from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.names import showable
from kairos_lib.parameters import loading
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.key_difference import read_mapping
from kairos_lib.runs.notebook_code import notebook_hash
from kairos_lib.runs.status import Status

AT_ONCE_S = 5.0
"""Seconds on a machine that does much else; what is meant took minutes or for ever."""
SEEDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ALIASES = "title: [&a0 [x, x], " + ", ".join(
    f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)
) + "]\n"  # fmt: skip
BUT_TWO = {k: v for k, v in tiny_model(Path("w")).items() if k not in ("base", "batch_size")}
MODEL = yaml.safe_dump(BUT_TWO)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Project:
    """A project with a video, a base profile and a model, whose weights are not there."""
    made = make_project(tmp_path_factory.mktemp("parameters") / "project")
    fill(made, clip, made.root / "weights")
    return made


def answer(project: Project, monkeypatch: pytest.MonkeyPatch, *command: str) -> str:
    """The one line that a command ends with."""
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    began_s = time.monotonic()
    got = CliRunner().invoke(main, list(command))
    assert time.monotonic() - began_s < AT_ONCE_S
    assert got.exit_code == 2, (got.output, got.exception)
    (line,) = got.stderr.splitlines()
    assert len(line) < 400
    return str(line)


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("models", ALIASES, "line 1: not valid YAML: aliases (*name) are not read"),
        ("models", "title: &a [*a]\n", "aliases (*name) are not read"),
        ("models", "title: " + "[" * 20_000 + "\n", "more than 20 lists and mappings in one"),
        ("models", "title: " + "{a: " * 20_000 + "\n", "more than 20 lists and mappings in one"),
        ("models", MODEL + "timeout_s: " + "9" * 6000, "a number of more than 40 digits"),
        ("models", MODEL + "batch_size: 0x" + "f" * 6000, "a number of more than 40 digits"),
        ("models", MODEL + "base: 2001-99-99", "cannot be read as timestamp"),
        ("models", MODEL + "base: !!int x", "cannot be read as int"),
        ("models", MODEL + "base: !!bool x", "cannot be read as bool"),
        ("models", MODEL + "base: !!python/name:os.system x", "could not determine a constructor"),
        ("models", "? [a]\n: b\n", "a key that is not a word"),
        ("models", "title: " + "x" * 200_000, "holds more than 100,000 bytes"),
        ("models", MODEL + "attention: " + "x" * 9000, "models/x.yaml"),
        ("videos", "title: x\npath: x\ndescription: " + "9" * 6000, "of more than 40 digits"),
        ("videos", 'title: "\\uD800 x"\npath: videos/twelve.mp4\n', "that cannot be shown"),
        ("videos", 'title: "\\e[2J"\npath: videos/twelve.mp4\n', "that cannot be shown"),
        ("videos", 'title: x\npath: "a\\0b"\n', "that cannot be shown"),
        ("suites", 'title: x\nmodels: ["t-[0..9999999999]"]\nvideos: [twelve]', "1,000 names"),
        ("suites", 'title: x\nmodels: ["[0..99]-[0..99]"]\nvideos: [twelve]', "1,000 names"),
        ("suites", f'title: x\nmodels: ["[0..{"9" * 9000}]"]\nvideos: [twelve]', "1,000 names"),
        ("suites", 'title: x\nmodels: ["tiny[3..0]"]\nvideos: [twelve]', "stands for nothing"),
        ("suites", "title: x\nmodels: [tiny]\nvideos: [twelve]\nrepeats: 3000000", "'repeats'"),
    ],
)  # fmt: skip
def test_what_takes_for_ever_or_cannot_be_shown_is_one_line_at_once(
    ready: Project, monkeypatch: pytest.MonkeyPatch, kind: str, content: str, expected: str
) -> None:
    path = ready.parameters / kind / "x.yaml"
    path.write_text(content)
    asked = {
        "models": ("--model", "x", "--video", "twelve"),
        "videos": ("--model", "tiny", "--video", "x"),
        "suites": ("--suite", "x"),
    }[kind]
    try:
        assert expected in answer(ready, monkeypatch, "plan", *asked)
    finally:
        path.unlink()


def test_more_notebooks_than_anybody_runs_are_counted_before_they_are_planned(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = {f"v{n}": {"batch_size": n + 1} for n in range(50)}
    suite = {"title": "x", "models": ["tiny"], "videos": ["*"] * 1000, "repeats": 1000}
    write_parameters(ready, "suites", "x", {**suite, "variants": variants})
    try:
        assert "would be 50,000 notebooks" in answer(ready, monkeypatch, "plan", "--suite", "x")
    finally:
        (ready.parameters / "suites" / "x.yaml").unlink()


def test_a_file_whose_name_leads_elsewhere_is_no_parameter_file(ready: Project) -> None:
    hidden = ready.parameters / "models" / "...yaml"
    hidden.write_text(MODEL)
    try:
        assert loading.names(ready, Model) == ["tiny"]
        with pytest.raises(KairosError, match=r"unknown model '\.\.'"):
            loading.load(ready, Model, "..")
    finally:
        hidden.unlink()


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a": ' * 100_000, '{"a": "\\ud800"}', "9" * 9000]
)
def test_a_record_that_nobody_wrote_in_good_faith_is_read_as_none(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    assert read_mapping(path) == {}
    with pytest.raises(KairosError, match="not a valid Status"):
        read_record(path, Status)
    with pytest.raises(KairosError, match="is not a notebook that can be read"):
        notebook_hash(path)


words = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["&a", "*a", "<<", "!!int", "!!set", "!!omap", "!!binary", "%", "? ", ": ", "- ", "\t", "|",
     ">", "[", "]", "{", "}", "0x", "1:1:1", "1e999", ".nan", "2001-99-99", "~", "\\ud800",
     '"', "'"]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@SEEDED
@given(
    kind=st.sampled_from([Video, Model, Base, Suite]),
    name=st.sampled_from(
        ["title", "models", "videos", "frames", "weights", "path", "repeats", "x"]
    ),
    value=values,
    garbage=st.lists(words, max_size=6).map("".join),
    whole=st.booleans(),
)
@example(Video, "title", "x", "", True)
def test_any_document_is_read_or_answered_by_one_line(
    ready: Project, kind: type, name: str, value: object, garbage: str, whole: bool
) -> None:
    """Documents of every kind of value, some of them with garbage in place of one."""
    own = {"models": ["tiny"], "videos": ["twelve"]} if kind is Suite else {}
    told = json.dumps({"title": "x", **own, name: value})
    content = told if whole else f"{told[:-1]}, y: {garbage}}}\n{garbage}: {garbage}\n"
    path = ready.parameters / kind.folder / "fuzz.yaml"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    began_s = time.monotonic()
    try:
        found = loading.load(ready, kind, "fuzz")
        if kind is Suite:
            make_plan(ready, suite_of(ready, BenchRequest(suite="fuzz")))
        assert showable(found.title)
    except KairosError as error:
        assert len(str(error)) < 2000
        str(error).encode()
    finally:
        path.unlink()
    assert time.monotonic() - began_s < AT_ONCE_S
