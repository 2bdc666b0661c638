"""Times are told only of results that agree, and with all that is needed to judge them."""

import itertools
import re
import time

import pytest

from benchmarks.harness import (
    Comparison,
    Contender,
    DisagreementError,
    Spread,
    Trial,
    all_equal,
    compete,
)
from benchmarks.table import Page, rounds_table, times_table


def test_contenders_take_turns_round_after_round() -> None:
    turns: list[str] = []
    contenders = [Contender(name, lambda name=name: turns.append(name)) for name in "AB"]
    comparison = compete(contenders, 3, all_equal)
    assert "".join(turns) == "AB" + "AB" * 3  # The first round warms up.
    assert comparison.rounds == 3


def test_a_disagreement_stops_before_any_time_is_told() -> None:
    told: list[str] = []
    turns: list[str] = []

    def answer(name: str, value: int) -> int:
        turns.append(name)
        return value

    contenders = [
        Contender("right", lambda: answer("right", 4)),
        Contender("fast", lambda: answer("fast", 5)),
    ]
    with pytest.raises(DisagreementError, match="right and fast"):
        compete(contenders, 5, all_equal, told.append)
    assert turns == ["right", "fast"]
    assert not any(re.search(r"\d", line) for line in told)


def test_a_result_that_changes_in_a_later_round_is_found_out() -> None:
    answers = itertools.chain([4, 4], itertools.repeat(5))
    contenders = [Contender("steady", lambda: 4), Contender("fickle", lambda: next(answers))]
    with pytest.raises(DisagreementError):
        compete(contenders, 5, all_equal)


def test_clearing_up_before_a_turn_does_not_count_towards_its_time() -> None:
    contender = Contender("one", lambda: None, prepare=lambda: time.sleep(0.2))
    comparison = compete([contender], 1, all_equal, warm_up=False)
    assert comparison.spread("one").median < 0.1


def comparison(foreign_cores: float = 0.0) -> Comparison[None]:
    """Contender `b` takes 2, 3 and 10 times as long as `a` in the same round."""

    def trials(*times_s: float) -> tuple[Trial[None], ...]:
        return tuple(Trial(time_s, foreign_cores, None) for time_s in times_s)

    return Comparison({"a": trials(1.0, 2.0, 3.0), "b": trials(2.0, 6.0, 30.0)})


def test_a_ratio_is_taken_of_medians_and_within_each_round() -> None:
    assert comparison().ratio("b", "a") == 3.0
    assert comparison().round_ratios("b", "a") == Spread((2.0, 3.0, 10.0))
    assert comparison().spread("b").told() == "6.00 [2.00 – 30.00]"


def test_rounds_in_which_others_were_busy_are_marked() -> None:
    assert "**0.50**" in rounds_table(comparison(foreign_cores=0.5))
    assert "**" not in rounds_table(comparison(foreign_cores=0.2))
    row = times_table(comparison(foreign_cores=0.5), "a").splitlines()[-1]
    assert row.endswith("| 3 | 3 |")


def test_a_results_page_says_what_made_it_and_on_what_machine() -> None:
    text = Page("Title", "make perf-base NAME=visual ROUNDS=5", rounds=5).text()
    assert "`make perf-base NAME=visual ROUNDS=5`" in text
    for row in ("processor", "memory", "GPU", "av", "scenedetect", "torch", "faster-whisper"):
        assert re.search(rf"^\| {row} \| .+ \|$", text, re.MULTILINE), row
    assert "trial" not in text


def test_fewer_than_five_rounds_are_called_a_trial() -> None:
    assert "A trial: 4 rounds" in Page("Title", "command", rounds=4).text()
