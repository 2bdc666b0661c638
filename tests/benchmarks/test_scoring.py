"""What average-mAP is held against: the cases that were committed, and how answers are compared."""

import json
from pathlib import Path

import pytest

from benchmarks import scoring
from benchmarks.harness import DisagreementError
from benchmarks.scoring import KAIROS, PACKAGE, Told
from benchmarks.soccernet_oracle import ANSWERS, LABELS_FILE, PREDICTIONS_FILE, cases, write_files
from kairos_lib.errors import KairosError
from kairos_lib.events.average_map import average_map
from kairos_lib.events.formats import read_halves


def test_the_committed_cases_are_those_that_the_script_draws() -> None:
    committed = json.loads(ANSWERS.read_text())
    for case, known in zip(cases(), committed, strict=True):
        drawn = json.loads(json.dumps(vars(case)))
        assert drawn == {name: known[name] for name in drawn}


def test_from_the_files_that_the_package_read_we_come_to_its_answers(tmp_path: Path) -> None:
    committed = {case["name"]: case for case in json.loads(ANSWERS.read_text())}
    case = next(case for case in cases() if case.name == "several_games 0")
    write_files(case, tmp_path)
    truth, predicted = (
        [half for path in sorted(tmp_path.rglob(name)) for half in read_halves(path)]
        for name in (LABELS_FILE, PREDICTIONS_FILE)
    )
    ours = average_map(truth, predicted, ["label 0", "label 1"], "tight")
    theirs = committed[case.name]["answers"]["tight"]
    assert [ours.overall, *ours.per_label.values()] == pytest.approx(theirs[0], rel=0, abs=1e-9)


def test_a_figure_that_differs_has_no_time() -> None:
    figures = [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
    other = [[0.5, 0.5], [0.0, 0.0], [0.0, 2e-9]]
    scoring.agree({PACKAGE: Told(figures, 1, 1), KAIROS: Told(figures, 1, 1)})
    with pytest.raises(DisagreementError):
        scoring.agree({PACKAGE: Told(figures, 1, 1), KAIROS: Told(other, 1, 1)})


def test_without_the_package_it_is_told_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(scoring.PYTHON, "no-such-python")
    with pytest.raises(KairosError, match="name the Python that has SoccerNet"):
        scoring.run(1, "", lambda line: None)
