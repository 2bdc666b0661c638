"""Which group does what, and when: parameters of services, parts of a job, and its video."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.projects import CHECKOUT

from kairos_lib.analyzers.analyzer import order
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.service import Service
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.project import Project
from kairos_lib.serve.contract import JobData
from kairos_lib.serve.merging import model_of
from kairos_lib.serve.videos import address_of, video_of
from kairos_lib.serve.work_plan import part_of, parts, profile_of

HERE = Project(CHECKOUT)


def service(**values: object) -> Service:
    groups = {"all": {"analyzers": ["scenes", "objects", "speech", "sounds"]}}
    return validate(
        Service, {"name": "own", "title": "Own", "base": "nano", "groups": groups, **values}, "own"
    )


def nano() -> Base:
    return load(HERE, Base, "nano")


def test_every_service_that_ships_runs_all_of_its_base_profile() -> None:
    for name in names(HERE, Service):
        one = load(HERE, Service, name)
        profile = profile_of(one, load(HERE, Base, one.base), None)
        planned = [analyzer for part in parts(one, profile) for analyzer in part.analyzers]
        assert sorted(planned) == sorted(stage.name for stage in order(profile.stages))
        assert one.group_with(one.model)


def test_groups_without_the_scenes_come_after_the_group_with_them() -> None:
    one = load(HERE, Service, "default")
    found = [(part.group, part.wave, part.analyzers) for part in parts(one, nano())]
    assert found == [
        ("visual", 0, ("scenes", "objects")),
        ("cpu", 1, ("audio", "vad", "speech", "slices", "sounds")),
    ]


def test_what_needs_another_group_waits_for_it_and_may_return_to_its_own() -> None:
    one = service(
        groups={
            "a": {"analyzers": ["scenes", "sounds"]},
            "b": {"analyzers": ["audio", "vad", "speech", "slices"]},
        }
    )
    found = parts(one, nano().model_copy(update={"stages": ("scenes", "speech", "sounds")}))
    assert [(part.group, part.wave, part.analyzers) for part in found] == [
        ("a", 0, ("scenes",)),
        ("b", 1, ("audio", "vad", "speech", "slices")),
        ("a", 2, ("sounds",)),
    ]
    assert found[2].needs == {"scenes", "vad", "slices"}


def test_what_no_group_names_runs_with_what_needs_it() -> None:
    [part] = parts(service(), nano())
    assert set(part.analyzers) >= {"audio", "vad", "slices"}


def test_one_group_with_everything_is_the_very_run_of_the_notebooks() -> None:
    one = load(HERE, Service, "nano")
    profile = profile_of(one, nano(), None)
    [part] = parts(one, profile)
    assert part_of(profile, part.analyzers) == profile == nano()


def test_all_analyzers_by_name_are_the_whole_profile_in_whatever_order() -> None:
    assert profile_of(service(), nano(), ("objects", "sounds", "speech", "audio")) == nano()
    one, other = (
        profile_of(service(), nano(), names)
        for names in (("speech", "objects"), ("objects", "speech"))
    )
    assert one == other != nano()


def test_an_analyzer_in_no_group_is_named_with_what_to_do() -> None:
    lacking = service(groups={"a": {"analyzers": ["scenes", "speech"]}})
    with pytest.raises(KairosError, match=r"no group of this service runs \w+: .*; add it to a"):
        parts(lacking, nano())


def test_batch_sizes_of_groups_take_the_place_of_the_profile_s() -> None:
    groups = {"a": {"analyzers": ["scenes", "objects"], "batch_sizes": {"objects": 64}}}
    profile = profile_of(service(groups=groups), nano(), None)
    assert profile.objects.batch_size == 64
    assert profile.speech == nano().speech


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"groups": {"a": {}}}, "either analyzers or a model"),
        ({"groups": {"a": {"analyzers": ["x"], "model": "y"}}}, "either analyzers or a model"),
        ({"groups": {n: {"analyzers": ["x"]} for n in "ab"}}, "x is in two groups, a and b"),
        ({"groups": {n: {"model": "y"} for n in "ab"}}, "two groups have the model y"),
        ({"model": "z"}, "model: z is in no group"),
        ({"groups": {"a": {"analyzers": ["x"], "device": "auto"}}}, "must be cpu, cuda or cuda:N"),
        ({"groups": {"a b": {"analyzers": ["x"]}}}, "groups.a b"),
        ({"groups": {"a": {"analyzers": ["x"], "batch_sizes": {"y": 1}}}}, "batch_sizes names y"),
        ({"folders": ["../elsewhere"]}, "must name a folder without"),
        ({"grups": {}}, "unknown key 'grups': did you mean 'groups'?"),
    ],
)
def test_a_service_that_cannot_work_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(KairosError) as error:
        service(**values)
    assert reason in str(error.value)


def test_a_job_names_a_model_that_some_group_has() -> None:
    one = service(groups={"a": {"analyzers": ["x"]}, "b": {"model": "llava"}}, model="llava")
    assert [model_of(one, wanted) for wanted in (None, "", "llava")] == ["llava", "", "llava"]
    with pytest.raises(KairosError, match="no group of this service has the model 'lava': did you"):
        model_of(one, "lava")


@pytest.mark.parametrize(
    "data",
    [
        {}, {"videoPath": "a", "url": "b"}, {"videoPath": "a", "priority": True},
        {"videoPath": "a", "priority": -1}, {"videoPath": "a", "fresh": 1},
        {"videoPath": "a", "command": "b"}, {"videoPath": "a" * 5000},
    ],
)  # fmt: skip
def test_a_job_that_says_something_else_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        JobData.model_validate(data)


def test_a_video_lies_in_the_services_folders_or_is_one_of_the_parameters(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for folder in ("videos", "runs/service/uploads", "elsewhere", "parameters/videos"):
        (root / folder).mkdir(parents=True)
    for path in ("videos/a.mp4", "runs/service/uploads/b.mp4", "elsewhere/c.mp4"):
        (root / path).write_bytes(b"video")
    (root / "parameters/videos/known.yaml").write_text("title: Known\npath: elsewhere/c.mp4\n")
    (root / "videos/link.mp4").symlink_to("/etc/passwd")
    (root / "videos/inside.mp4").symlink_to(root / "videos/a.mp4")
    project, one = Project(root), service()
    allowed = ("videos/a.mp4", "videos/../videos/a.mp4", "runs/service/uploads/b.mp4",
               str(root / "videos/a.mp4"), "videos/inside.mp4")  # fmt: skip
    for path in allowed:
        assert video_of(project, one, path).path.is_file()
    assert video_of(project, one, "known").title == "Known"
    assert video_of(project, one, "videos/a.mp4", "My <b>title</b>").title == "My <b>title</b>"
    refused = ("elsewhere/c.mp4", "../project/elsewhere/c.mp4", "videos/link.mp4", "/etc/passwd",
               "videos/../../outside.mp4", "videos/a.mp4\0", "file:///etc/passwd", "videos",
               "runs/service/x.json", "videos/absent.mp4", "", ".", "~/a.mp4")  # fmt: skip
    for path in refused:
        with pytest.raises(KairosError):
            video_of(project, one, path)


def test_addresses_are_taken_from_the_services_hosts_alone() -> None:
    asked = "https://cdn.videos.example/match.mp4"
    with pytest.raises(KairosError, match="this service fetches no addresses: give a videoPath"):
        address_of(service(), asked)
    named = service(ingest={"hosts": ["*.videos.example"]})
    assert address_of(named, f"{asked}#part") == asked
    for other in ("https://other.example/match.mp4", "http://127.0.0.1/match.mp4", "file:///a"):
        with pytest.raises(KairosError):
            address_of(named, other)
