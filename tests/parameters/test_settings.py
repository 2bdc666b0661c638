from pathlib import Path

import pytest
from helpers.projects import tiny_model, write_parameters

from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.parameters import loading
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.published_figures import PublishedFigures
from kairos_lib.parameters.suite import Suite
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project


def load_model(project: Project, **changes: object) -> Model:
    write_parameters(project, "models", "m", tiny_model(Path("w"), **changes))
    return loading.load(project, Model, "m")


def test_an_unknown_key_is_refused_with_the_file_and_the_nearest_key(project: Project) -> None:
    with pytest.raises(KairosError) as error:
        load_model(project, batchsize=4)
    assert str(error.value) == (
        "parameters/models/m.yaml: unknown key 'batchsize': did you mean 'batch_size'?"
    )


def test_an_unknown_key_inside_a_part_is_compared_with_that_parts_keys(project: Project) -> None:
    with pytest.raises(KairosError, match=r"'frames.longestpx': did you mean 'longest_px'"):
        load_model(project, frames={"longestpx": 336})


def test_a_value_of_the_wrong_kind_names_the_key_and_the_value(project: Project) -> None:
    with pytest.raises(KairosError, match=r"m.yaml: 'batch_size': .*not 'many'"):
        load_model(project, batch_size="many")


def test_a_missing_key_is_named(project: Project) -> None:
    write_parameters(project, "models", "m", {"title": "M"})
    with pytest.raises(KairosError, match="the key 'family' is missing"):
        loading.load(project, Model, "m")


def test_a_key_given_twice_is_refused(project: Project) -> None:
    (project.parameters / "base" / "b.yaml").write_text("title: a\ntitle: b\n")
    with pytest.raises(KairosError, match="'title' is given twice"):
        loading.load(project, Base, "b")


def test_text_that_is_no_yaml_is_one_line_with_the_place(project: Project) -> None:
    (project.parameters / "base" / "b.yaml").write_text("title: [a\nstages: x\n")
    with pytest.raises(KairosError, match=r"b.yaml, line \d+: not valid YAML"):
        loading.load(project, Base, "b")


def test_an_unknown_name_is_answered_with_the_known_ones(project: Project) -> None:
    for name in ("nano", "llava"):
        write_parameters(project, "models", name, tiny_model(Path("w")))
    with pytest.raises(KairosError, match=r"did you mean 'llava'\? \(known: llava, nano\)"):
        loading.load(project, Model, "lava")


def test_a_name_cannot_leave_the_parameters_folder(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("title: x\n")
    with pytest.raises(KairosError, match="unknown base"):
        loading.load(project, Base, "../../../outside")


def test_weights_from_an_address_need_their_sha256(project: Project) -> None:
    with pytest.raises(KairosError, match="need their sha256"):
        load_model(project, weights={"source": "url", "id": "https://example.org/a.pt"})


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (("game-[1..3]",), ["game-1", "game-2", "game-3"]),
        (("game-[08..10]",), ["game-08", "game-09", "game-10"]),
        (("game-?", "game-2"), ["game-1", "game-2", "game-3"]),
        (("other", "game-[2..2]"), ["other", "game-2"]),
    ],
)
def test_suites_take_names_patterns_and_ranges(
    entries: tuple[str, ...], expected: list[str]
) -> None:
    known = ["game-1", "game-2", "game-3", "game-08", "game-09", "game-10", "other"]
    assert loading.expand(entries, known, "video") == expected


def test_a_range_with_a_gap_names_what_is_missing() -> None:
    with pytest.raises(KairosError, match="unknown video 'game-2'"):
        loading.expand(("game-[1..2]",), ["game-1"], "video")


def test_a_video_can_be_any_file_by_its_path(project: Project) -> None:
    video = loading.video(project, 'some where/Ünïcode "clip".mp4')
    assert video.name == "unicode-clip"
    assert video.title == 'Ünïcode "clip"'
    assert video.path == project.root / "some where" / 'Ünïcode "clip".mp4'


def test_a_mistyped_video_name_is_not_taken_for_a_path(project: Project) -> None:
    write_parameters(project, "videos", "pasta", {"title": "P", "path": "videos/pasta.mp4"})
    with pytest.raises(KairosError, match="did you mean 'pasta'"):
        loading.video(project, "psta")


def test_every_parameter_file_of_the_checkout_is_valid() -> None:
    checkout = Project(Path(__file__).parents[2])
    for kind in (Video, Model, Base, Suite, PublishedFigures):
        known = loading.names(checkout, kind)
        assert known
        for name in known:
            loading.load(checkout, kind, name)  # type: ignore[type-var]
