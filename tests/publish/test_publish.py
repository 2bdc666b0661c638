"""What `kairos publish` writes as JSON Lines: the same documents as in a database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from helpers.suites import SuiteMaker

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.errors import KairosError
from kairos_lib.media.facts import VideoFacts
from kairos_lib.publish import documents, publishing
from kairos_lib.publish.chosen import LeftOut, choose
from kairos_lib.publish.json_lines import JsonLines
from kairos_lib.publish.publishing import Published
from kairos_lib.results import suite
from kairos_lib.runs.journal import Journal

MATCH = "0" * 64
OTHER = "a1" * 32
BOX = (0.25, 0.5, 0.75, 1.0)
OWN = '''
"""Mood: how a scene feels."""

from typing import ClassVar

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class Mood(Record):
    scene: int
    mood: str


class Analyzer(Stage):
    name: ClassVar[str] = "mood"
    version: ClassVar[int] = 1
    record: ClassVar[type[Mood]] = Mood
    settings: ClassVar[type[Settings]] = Settings

    @classmethod
    def exported_data(cls, records):
        return {"FIELD": [one.mood for one in records]}
'''


def published(maker: SuiteMaker, **chosen: tuple[str, ...]) -> list[Published | LeftOut]:
    """What became of each video, in `out`."""
    data = suite.read(maker.write(), "demo")
    store = JsonLines(maker.project.root / "out")
    which = choose(data, chosen.get("models", ()), chosen.get("videos", ()))
    return list(publishing.publish(data, which, store))


def lines(maker: SuiteMaker, kind: str, video_id: str = MATCH) -> list[dict[str, Any]]:
    path = maker.project.root / "out" / kind / f"{video_id}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def facts(sha256: str) -> VideoFacts:
    return VideoFacts(
        sha256=sha256, size_bytes=1, duration_s=30, width=640, height=360, frames_per_second=25,
        codec="h264",
    )  # fmt: skip


def kairos(maker: SuiteMaker, **choices: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", "publish"],
        env={**os.environ, "KAIROS_ROOT": str(maker.project.root), **choices},
        cwd=maker.project.root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_scene_is_one_document_with_all_that_was_found_and_every_models_caption(
    maker: SuiteMaker,
) -> None:
    folder = maker.base(scenes=2)
    said = Segment(scene=0, start_s=1.0, end_s=2.0, text="Здесь гол!")
    sound = SoundEvent(scene=1, label="applause", score=0.7)
    ball = Detection(scene=1, time_s=12.0, label="ball", score=0.5, box=BOX)
    Journal(folder / "speech.jsonl", Segment).write_all(iter([said]))
    Journal(folder / "sounds.jsonl", SoundEvent).write_all(iter([sound]))
    Journal(folder / "objects.jsonl", Detection).write_all(iter([ball]))
    maker.done("a", captions=["A0.", "A1."])
    maker.done("b.5", captions=["B0.", "B1."], weights_source="nano")
    assert published(maker) == [Published("Match", MATCH, 2, 2, 2, False)]
    first, second = lines(maker, "scenes")
    assert first["transcript"] == "Здесь гол!"
    assert first["scene"] | {"thumbnails": []} == {
        "index": 0, "start_s": 0.0, "end_s": 10.0, "thumbnails": [],
    }  # fmt: skip
    assert {model: one["text"] for model, one in first["captions"].items()} == {
        "a": "A0.", "b.5": "B0.",
    }  # fmt: skip
    nano = ["nano model outside its world: captions mean nothing"]
    assert [second["captions"][model]["badges"] for model in ("a", "b.5")] == [[], nano]
    assert second["sounds"][0]["label"] == "applause"
    assert second["objects"][0]["label"] == second["detections"][0]["label"] == "ball"
    (video,) = lines(maker, "videos")
    assert (video["title"], video["duration_s"], video["scenes"]) == ("Match", 20.0, 2)
    assert video["models"]["b.5"]["result"]["offline"]["time_s"] == 15.0
    assert {one["video_id"] for one in (first, second, video)} == {video["id"]} == {MATCH}
    ids = [one["id"] for one in (first, second, video)]
    assert len(set(ids)) == 3 and not set("".join(ids)) & set("/\\?#")


def test_a_second_run_writes_nothing(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    published(maker)
    files = list((maker.project.root / "out").glob("*/*"))
    before = {path: path.stat().st_ino for path in files}
    assert published(maker) == [Published("Match", MATCH, 3, 1, 0, True)]
    assert {path: path.stat().st_ino for path in files} == before and len(before) == 2


def test_another_caption_is_another_edition(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    published(maker)
    maker.done("second", captions=["X.", "Y.", "Z."])
    assert published(maker) == [Published("Match", MATCH, 3, 2, 3, False)]
    assert lines(maker, "scenes")[2]["captions"]["second"]["text"] == "Z."


def test_one_finding_more_is_another_edition_of_its_scene_alone(maker: SuiteMaker) -> None:
    folder = maker.base()
    data = suite.read(maker.write(), "demo")
    (base,) = data.bases
    assert base.result is not None
    before = documents.edition(data, base, base.result, [])
    sound = SoundEvent(scene=1, label="applause", score=0.7)
    Journal(folder / "sounds.jsonl", SoundEvent).write_all(iter([sound]))
    after = documents.edition(data, base, base.result, [])
    assert before.digest != after.digest
    other = [name for name, digest in after.digests.items() if before.digests[name] != digest]
    assert other == [f"{MATCH}-000001"]


def test_a_video_is_not_said_to_be_there_while_its_scenes_are_written(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    published(maker)
    maker.done("second")
    data = suite.read(maker.write(), "demo")
    out = maker.project.root / "out"

    def cut() -> Iterator[documents.Document]:
        yield from ()
        raise KeyboardInterrupt

    class Cut(JsonLines):
        def write(self, edition: documents.Edition) -> int:
            return super().write(replace(edition, again=cut))

    with pytest.raises(KeyboardInterrupt):
        list(publishing.publish(data, choose(data, (), ()), Cut(out)))
    assert [path.name for path in out.glob("*/*")] == [f"{MATCH}.jsonl"]
    assert len(lines(maker, "scenes")) == 3
    assert published(maker) == [Published("Match", MATCH, 3, 2, 3, False)]
    assert lines(maker, "videos")[0]["models"].keys() == {"small", "second"}


def test_two_that_publish_a_video_at_once_take_turns(maker: SuiteMaker) -> None:
    maker.base()
    maker.done("a")
    maker.done("b")
    data = suite.read(maker.write(), "demo")
    inside: list[str] = []

    class Slow(JsonLines):
        def write(self, edition: documents.Edition) -> int:
            inside.append("in")
            time.sleep(0.2)
            inside.append("out")
            return super().write(edition)

    def run(model: str) -> list[Published | LeftOut]:
        store = Slow(maker.project.root / "out")
        return list(publishing.publish(data, choose(data, (model,), ()), store))

    with ThreadPoolExecutor() as pool:
        assert all(isinstance(*found, Published) for found in pool.map(run, "ab"))
    assert inside == ["in", "out"] * 2
    (video,) = lines(maker, "videos")
    assert {tuple(scene["captions"]) for scene in lines(maker, "scenes")} == {(*video["models"],)}


def test_a_film_under_two_names_is_published_once(maker: SuiteMaker) -> None:
    maker.base("match")
    maker.base("again", title="Again")
    maker.base("other", title="Other", facts=facts(OTHER))
    first, again, other = published(maker)
    assert isinstance(first, Published) and isinstance(other, Published)
    assert again == LeftOut("Again", "it is the same film as Match: name one in VIDEO")
    assert published(maker, videos=("again",)) == [Published("Again", MATCH, 3, 0, 3, False)]


def test_runs_without_a_result_are_told(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    maker.failed()
    left, there = published(maker)
    assert left == LeftOut("Large on Match", "out of memory: out of memory at batch size 1")
    assert isinstance(there, Published) and there.models == 1


def test_a_scene_above_two_megabytes_is_refused_before_anything_is_written(
    maker: SuiteMaker,
) -> None:
    maker.base(scenes=3)
    maker.done(captions=["Short.", "Short.", "x" * 2_000_000])
    (refused,) = published(maker)
    assert isinstance(refused, LeftOut) and "\n" not in refused.why
    assert refused.why.startswith("scene 3 of Match is 2.0 MB as JSON, and a database takes 2 MB")
    assert not list((maker.project.root / "out").glob("*/*"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_has_no_word_for_is_refused(maker: SuiteMaker, number: str) -> None:
    folder = maker.base()
    (folder / "sounds.jsonl").write_text(f'{{"scene": 1, "label": "clap", "score": {number}}}\n')
    (refused,) = published(maker)
    assert isinstance(refused, LeftOut)
    assert "scene 2" in refused.why and "NaN or infinite" in refused.why


@pytest.mark.parametrize("sha256", ["", "../../etc", "a/b?c#d\\e", "0" * 63 + "\n"])
def test_an_id_is_the_hash_of_a_film_and_nothing_else(maker: SuiteMaker, sha256: str) -> None:
    maker.base(facts=facts(sha256))
    (refused,) = published(maker)
    assert isinstance(refused, LeftOut) and "run it again with FRESH=1" in refused.why


def operation(size_bytes: int) -> documents.Operation:
    return documents.Operation("upsert", {"id": "x"}, size_bytes)


def test_101_scenes_go_in_two_batches() -> None:
    made = list(documents.batches(operation(1000) for _ in range(101)))
    assert [len(batch) for batch in made] == [100, 1]


def test_no_batch_is_above_two_megabytes() -> None:
    sizes = [900_000, 900_000, 900_000, 2_000_000, 1, 1_999_999, 1]
    made = list(documents.batches(map(operation, sizes)))
    assert [[one.size_bytes for one in batch] for batch in made] == [
        [900_000, 900_000], [900_000], [2_000_000], [1, 1_999_999], [1],
    ]  # fmt: skip
    assert not list(documents.batches([]))


def test_only_what_differs_is_changed_and_what_is_left_over_goes_first(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    data = suite.read(maker.write(), "demo")
    (base,) = data.bases
    assert base.result is not None
    wanted = documents.edition(data, base, base.result, [])
    first, second, third = wanted.digests
    there = {**wanted.digests, second: "old", "left over": "of a longer edition"}
    found = list(documents.changes(wanted, there))
    assert [(one.kind, one.target if isinstance(one.target, str) else one.target["id"])
            for one in found] == [("delete", "left over"), ("upsert", second)]  # fmt: skip
    del there[first], there[third]
    assert len(list(documents.changes(wanted, there))) == 4


def test_the_runs_of_one_video_are_published_without_a_suite(maker: SuiteMaker) -> None:
    base = maker.base()
    vlm = maker.done(key={"base": "key0"})
    published(maker)
    before = [lines(maker, kind) for kind in ("videos", "scenes")]
    project = maker.project
    alone = publishing.of_runs(project, project.relative(base), (project.relative(vlm),))
    store = JsonLines(project.root / "out")
    assert publishing.publish_video(alone, store).was_there
    store = JsonLines(project.root / "other")
    assert publishing.publish_video(alone, store).changed == 3
    after = [project.root / "other" / kind / f"{MATCH}.jsonl" for kind in ("videos", "scenes")]
    assert [list(map(json.loads, path.read_text().splitlines())) for path in after] == before
    (vlm / "key.json").write_text('{"base": "key9"}')
    with pytest.raises(KairosError, match="did not get the findings of runs/base/match/key0"):
        publishing.of_runs(project, project.relative(base), (project.relative(vlm),))
    with pytest.raises(KairosError, match="which is not in runs/"):
        publishing.of_runs(project, "../elsewhere")
    with pytest.raises(KairosError, match=r"has no result\.json: it is not done"):
        publishing.of_runs(project, "runs/base/none")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("", "TO names no place: give one of cosmos, jsonl:FOLDER"),
        ("jsonl:", "TO names no place"),
        ("cosmso", "TO=cosmso is unknown: did you mean 'cosmos'?"),
        ("cosmos", "COSMOS_ENDPOINT is not set: put it into the environment"),
    ],
)
def test_a_place_that_is_none_is_one_line(maker: SuiteMaker, place: str, line: str) -> None:
    with pytest.raises(KairosError) as raised:
        publishing.opened(maker.project, place)
    assert str(raised.value).startswith(line)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"COSMOS_ENDPOINT": "http://db.example:8081/"}, "must begin with https://, since COSMOS_"),
        ({"COSMOS_ENDPOINT": "https://me:secret@db.example/"}, "must hold no name or password"),
        ({"COSMOS_ENDPOINT": "https://db.example/"}, "COSMOS_KEY is not set"),
        ({"COSMOS_DATABASE": "a/b", "COSMOS_KEY": "eA=="}, "COSMOS_DATABASE is 'a/b'"),
        ({"COSMOS_KEY": "not base64!"}, "COSMOS_KEY holds characters that cannot be sent"),
        ({"COSMOS_KEY": "abcde"}, "COSMOS_KEY is not a key: it must be base64"),
        ({"COSMOS_KEY": "eA=="}, "Cosmos DB cannot be reached: "),
    ],
)
def test_a_key_goes_only_where_no_one_can_read_it(
    maker: SuiteMaker, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str
) -> None:
    monkeypatch.setenv("COSMOS_ENDPOINT", "http://127.0.0.1:9/")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KairosError) as raised:
        publishing.opened(maker.project, "cosmos")
    assert line in str(raised.value) and "\n" not in str(raised.value)


def test_the_command_says_what_it_published_and_ends_with_1_where_a_video_is_missing(
    maker: SuiteMaker,
) -> None:
    maker.base()
    maker.done()
    maker.write()
    answer = kairos(maker, KAIROS_TO="jsonl:out", KAIROS_MODEL="small")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"Match: 3 scenes, 1 model, 3 written or deleted: {MATCH}\n"
    answer = kairos(maker, KAIROS_TO="jsonl:out")
    assert answer.stdout == f"Match: 3 scenes, 1 model, already there: {MATCH}\n"
    maker.base("other", title="Other", facts=facts("none"))
    maker.write()
    answer = kairos(maker, KAIROS_TO="jsonl:out")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "left out: Other: the hash of Other is 'none': run it again with FRESH=1",
        "kairos: 1 video not published: see above for what is missing",
    ]


@pytest.mark.parametrize("field", ["mood", "ttl", "_ts"])
def test_an_analyzer_of_ones_own_is_in_the_scenes_under_its_own_names(
    maker: SuiteMaker, field: str
) -> None:
    folder = maker.base()
    own = maker.project.root / "own"
    own.mkdir()
    (own / "mood.py").write_text(OWN.replace("FIELD", field))
    (folder / "mood.jsonl").write_text('{"scene": 1, "mood": "calm"}\n')
    maker.write()
    answer = kairos(maker, KAIROS_TO="jsonl:out", KAIROS_ANALYZERS=str(own))
    if field == "mood":
        assert answer.returncode == 0, answer.stderr
        assert [scene["mood"] for scene in lines(maker, "scenes")] == [[], ["calm"], []]
    else:
        assert answer.returncode == 1
        assert f"exports a field called '{field}', which a database uses" in answer.stderr
