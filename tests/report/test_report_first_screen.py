"""The first screen of a report, whole: nothing on it contradicts anything else on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from helpers.suites import SuiteMaker, scenario

from kairos_lib.cli import main
from kairos_lib.measure.usage import Resources
from kairos_lib.project import Project
from kairos_lib.report.report_session import ReportSession
from kairos_lib.vlm.records import Caption

NOISE = (1.0, 1.06, 0.97)
SEES, BLIND = "A ball and a person.", "A quiet field."


@dataclass(frozen=True)
class Screen:
    """What a reader sees first."""

    answers: dict[str, tuple[str, str]]
    """By question the model in bold, and the whole answer."""
    cards: dict[str, str]
    """By model."""


def screen(project: Project) -> Screen:
    page = BeautifulSoup(ReportSession(project, "demo").overview()._repr_html_(), "html.parser")
    answers, cards = {}, {}
    for row in page.select("dl.verdict div"):
        bold = row.select_one("strong")
        question = row.select_one("dt")
        assert question is not None
        whole = " ".join(row.get_text(" ").split())
        answers[question.get_text()] = (bold.get_text() if bold else "", whole)
    for card in page.select("article.model"):
        name = card.select_one("h3")
        assert name is not None
        cards[name.get_text()] = " ".join(card.get_text(" ").split())
    return Screen(answers, cards)


def used(mib: float = 2048, cores: float = 0.1) -> Resources:
    return Resources(samples=9, peak_ram_mib=mib, foreign_cpu_cores=cores)


def demo(maker: SuiteMaker, cores: float = 0.1) -> None:
    """Two nano models that are much alike, in three rounds."""
    for video in ("match", "recipe"):
        maker.base(video, video.title(), scenes=8)
        for number, noise in enumerate(NOISE, start=1):
            for model, share in (("Nano", noise), ("Nano 4 bit", 1.03 * (2 - noise))):
                maker.done(
                    model.lower().replace(" ", "-"), model, video, number, time_s=10 * share,
                    captions=[SEES] * 8, resources=used(900 * share, cores),
                    weights_source="nano", synthetic_video=True,
                )  # fmt: skip


def alone(maker: SuiteMaker) -> None:
    maker.base("match", "Match", scenes=8)
    maker.done("one", "Only", time_s=12, resources=used())


def failing(maker: SuiteMaker) -> None:
    """The quickest and smallest lost 6 of 8 scenes in every round."""
    maker.base("match", "Match", scenes=8)
    lost = [Caption(scene=number, text="", error="out of memory") for number in range(2, 8)]
    for number, noise in enumerate(NOISE, start=1):
        maker.done("good", "Good", repeat=number, time_s=20 * noise, captions=[SEES] * 8,
                   resources=used())  # fmt: skip
        maker.done("other", "Other", repeat=number, time_s=30 * noise, captions=[BLIND] * 8,
                   resources=used(4096))  # fmt: skip
        few = scenario("offline", 8, 5 * noise, failed=6)
        maker.done("broken", "Broken", repeat=number, captions=[SEES, SEES, *lost], offline=few,
                   resources=used(512))  # fmt: skip


def resumed(maker: SuiteMaker) -> None:
    maker.base("match", "Match", scenes=8)
    for number, noise in enumerate((*NOISE, 1.02), start=1):
        parts = 2 if number == 2 else 1
        maker.done("quick", "Quick", repeat=number, time_s=20 * noise if parts == 1 else 900,
                   parts=parts, captions=[SEES] * 8, resources=used(4096))  # fmt: skip
        maker.done("slow", "Slow", repeat=number, time_s=30 * noise, captions=[SEES] * 8,
                   resources=used())  # fmt: skip


def shared(maker: SuiteMaker) -> None:
    demo(maker, cores=1.5)


@pytest.fixture
def shown(tmp_path: Path, request: pytest.FixtureRequest) -> Screen:
    make: Callable[[SuiteMaker], None] = request.param
    maker = SuiteMaker(tmp_path)
    make(maker)
    return screen(maker.write())


def case(make: Callable[[SuiteMaker], None]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shown", [make], indirect=True, ids=[make.__name__])


@pytest.mark.parametrize(
    "shown", [demo, alone, failing, resumed, shared], indirect=True, ids=lambda make: make.__name__
)
def test_no_sentence_contradicts_another(shown: Screen) -> None:
    bold = {question: model for question, (model, _) in shown.answers.items()}
    mixed = shown.answers["Mixed use"][1]
    not_ranked = shown.answers.get("Not ranked", ("", ""))[1]
    for name, card in shown.cards.items():
        if f"{name} " in not_ranked:
            assert name not in bold.values()
            assert "keeps up" not in card
    if "fastest" in mixed:
        assert bold["Mixed use"] == bold["Speed"]
    if "least memory" in mixed:
        assert bold["Mixed use"] == bold["Memory"]
    for question in ("Speed", "Memory"):
        assert bool(bold[question]) != ("close to call" in shown.answers[question][1])
    if bold["Mixed use"]:
        assert "keeps up with the video" in shown.cards[bold["Mixed use"]]
    for name in filter(None, bold.values()):
        (figure,) = re.findall(r"[\d.]+x", shown.cards[name])[:1]
        assert all(figure in whole for model, whole in shown.answers.values()
                   if model == name and "real time" in whole)  # fmt: skip


@case(demo)
def test_the_demo_in_three_rounds_names_none_that_is_too_close_to_call(shown: Screen) -> None:
    assert [model for model, _ in shown.answers.values()] == ["", "", "", "", ""]
    assert "Too close to call between Nano and Nano 4 bit" in shown.answers["Speed"][1]
    assert "Not decided between Nano and Nano 4 bit" in shown.answers["Mixed use"][1]
    assert "Shared machine" not in shown.answers["Mind"][1]


@case(alone)
def test_a_model_alone_is_held_against_nothing(shown: Screen) -> None:
    assert (
        shown.answers["Mixed use"][1]
        == "Mixed use Only keeps up with every video (0.15x over all)."
    )
    assert shown.answers["Speed"][1].endswith("it keeps up with every video.")
    assert "Mind" not in shown.answers


@case(failing)
def test_a_model_with_failed_scenes_is_named_for_nothing_but_that(shown: Screen) -> None:
    assert shown.answers["Not ranked"][1].endswith("Broken has scenes without a caption, on Match.")
    assert [shown.answers[q][0] for q in ("Speed", "Quality", "Memory", "Mixed use")] == [
        "Good"
    ] * 4
    assert "— has scenes without a caption" in shown.cards["Broken"]


@case(resumed)
def test_a_resumed_round_is_left_out_and_said(shown: Screen) -> None:
    assert shown.answers["Left out"][1].endswith(
        "Quick was interrupted and resumed, on Match in round 2."
    )
    assert "3 rounds" in shown.answers["Speed"][1]
    assert (shown.answers["Speed"][0], shown.answers["Memory"][0]) == ("Quick", "Slow")


def test_verdict_and_compare_say_in_the_same_words_that_all_runs_shared_their_machine(
    tmp_path: Path,
) -> None:
    maker = SuiteMaker(tmp_path)
    shared(maker)
    project = maker.write()
    told = (
        "all 12 runs shared the processor with other work, so that times are longer than alone, "
        "and they can be compared because rounds were made in turn"
    )
    assert told in screen(project).answers["Mind"][1]
    runner = CliRunner(env={"KAIROS_ROOT": str(project.root)})
    answer = runner.invoke(main, ["compare", "demo:nano", "demo:nano-4-bit"])
    assert told in answer.output


def test_a_model_that_alone_had_other_work_beside_it_is_told_to_look_slower(tmp_path: Path) -> None:
    maker = SuiteMaker(tmp_path)
    maker.base("match", "Match")
    for number in (1, 2, 3):
        maker.done("a", "Calm", repeat=number, time_s=10 + number / 10, resources=used())
        maker.done("b", "Crowded", repeat=number, time_s=20, resources=used(cores=1.5))
    project = maker.write()
    told = "0 of 3 of {}, 3 of 3 of {} shared the processor with other work, so that times"
    mind = screen(project).answers["Mind"][1]
    assert told.format("Calm", "Crowded") in mind
    assert "the affected ones can look slower than they are" in mind
    runner = CliRunner(env={"KAIROS_ROOT": str(project.root)})
    assert told.format("A", "B") in runner.invoke(main, ["compare", "demo:a", "demo:b"]).output


def test_models_that_were_not_run_in_turn_are_told_so(tmp_path: Path) -> None:
    maker = SuiteMaker(tmp_path)
    maker.base("match", "Match")
    for model in ("a", "b"):
        for number in (1, 2, 3):
            folder = maker.done(model, model.upper(), repeat=number, resources=used(cores=1.5))
            status = folder / "status.json"
            hour = {"a": 10, "b": 20}[model]
            status.write_text(re.sub(r"T\d\d:", f"T{hour}:", status.read_text()))
    mind = screen(maker.write()).answers["Mind"][1]
    assert "Not interleaved (Match): runs were not made in turn" in mind
    assert "a lead can come from when a run was made" in mind
