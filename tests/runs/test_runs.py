import json
import multiprocessing
from pathlib import Path

import nbformat
import pytest
from helpers.disk import Disk
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from kairos_lib.runs import notebook_code
from kairos_lib.runs import run as runs_run
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.runs.files import write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import Run
from kairos_lib.runs.status import Status


def spans(*starts: float) -> list[Span]:
    return [Span(start_s=s, end_s=s + 1) for s in starts]


def test_a_key_does_not_depend_on_the_order_of_its_ingredients() -> None:
    assert runs_run.key_of({"a": 1, "b": [2, 3]}) == runs_run.key_of({"b": [2, 3], "a": 1})
    assert runs_run.key_of({"a": 1}) != runs_run.key_of({"a": 2})


def test_a_journal_gives_back_what_was_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spans.jsonl", Span)
    for span in spans(0, 5):
        journal.append(span)
    assert list(journal) == spans(0, 5)


@pytest.mark.parametrize("torn", [b'{"start_s": 9, "en', b'{"start_s":9,"end_s":10}', b"\xff" * 9])
def test_a_torn_last_line_is_not_read_and_is_cut_off_before_the_next(
    tmp_path: Path, torn: bytes
) -> None:
    journal = Journal(tmp_path / "spans.jsonl", Span)
    journal.append(spans(0)[0])
    with journal.path.open("ab") as file:
        file.write(torn)
    assert list(journal) == spans(0)
    journal.repair()
    journal.append(spans(5)[0])
    assert list(journal) == spans(0, 5)


def test_a_line_that_found_no_room_leaves_no_part_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [Span(start_s=n, end_s=n + 1) for n in range(3)]
    journal = Journal(tmp_path / "spans.jsonl", Span)
    journal.append(spans[0])
    disk = Disk(tmp_path, monkeypatch)
    disk.room = 0
    with pytest.raises(KairosError, match=r"the disk is full: there is no room .*spans\.jsonl"):
        journal.append(spans[1])
    disk.room = None
    journal.append(spans[2])
    assert list(journal) == [spans[0], spans[2]]


def test_a_journal_torn_in_its_very_first_line_starts_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spans.jsonl", Span)
    journal.path.write_bytes(b'{"start' + b"x" * 200_000)
    journal.repair()
    assert journal.path.read_bytes() == b""


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spans.jsonl", Span)
    journal.path.write_bytes(b'{"start_s":1,"end_s":2}\nrubbish\n')
    with pytest.raises(KairosError, match=r"spans.jsonl, line 2: not a valid Span"):
        list(journal)


def test_a_journal_that_fails_while_written_whole_keeps_its_old_content(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spans.jsonl", Span)
    journal.write_all(iter(spans(0)))

    def failing():
        yield spans(7)[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        journal.write_all(failing())
    assert list(journal) == spans(0)
    assert [path.name for path in tmp_path.iterdir()] == ["spans.jsonl"]


def test_a_run_is_done_only_by_its_status(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"a": 1})
    run.create()
    write_record(run.file("result.json"), Span(start_s=0, end_s=1))
    assert not run.done
    write_record(run.file("status.json"), Status(state="failed", reason="error"))
    assert not run.done
    write_record(run.file("status.json"), Status(state="done"))
    assert run.done


def hold(folder: Path, held: "multiprocessing.synchronize.Event") -> None:
    lock = Run(folder, {}).lock()
    held.set()
    multiprocessing.Event().wait(60)
    lock.release()


@pytest.mark.services
def test_a_second_writer_is_refused_until_the_first_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_run, "LOCK_WAIT_S", 0.2)
    held = multiprocessing.Event()
    holder = multiprocessing.Process(target=hold, args=(tmp_path / "run", held))
    holder.start()
    assert held.wait(30)
    run = Run(tmp_path / "run", {})
    with pytest.raises(KairosError, match="another process is writing"):
        run.lock()
    holder.kill()
    holder.join()
    run.lock().release()


def test_a_run_says_which_ingredient_differs_from_the_newest_one_beside_it(tmp_path: Path) -> None:
    def at(key_inputs: dict[str, object]) -> Run:
        return Run(tmp_path / runs_run.key_of(key_inputs) / "r001", key_inputs)

    assert at({"weights": "a", "notebook": "x"}).difference() == "never run"
    at({"weights": "a", "notebook": "x"}).create()
    assert at({"weights": "a", "notebook": "y"}).difference() == "changed: notebook"


def test_what_is_set_aside_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {})
    run.create()
    run.file("x").write_text("kept")
    run.set_aside()
    assert not run.folder.exists()
    (aside,) = tmp_path.glob("run.superseded-*")
    assert (aside / "x").read_text() == "kept"


def test_a_changed_file_has_another_hash_and_an_unchanged_one_is_not_read_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "film.mp4"
    file.write_bytes(b"one")
    hashes = FileHashes(tmp_path / "runs")
    first = hashes.sha256(file)
    remembered = tmp_path / "runs" / "hashes.json"
    known = json.loads(remembered.read_text())
    remembered.write_text(json.dumps(dict.fromkeys(known, "remembered")))
    assert FileHashes(tmp_path / "runs").sha256(file) == "remembered"
    file.write_bytes(b"two!")
    assert FileHashes(tmp_path / "runs").sha256(file) not in (first, "remembered")


def notebook(path: Path, code: str, prose: str = "prose", default: str = "x = 1") -> str:
    parameters = new_code_cell(default, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(prose), parameters, new_code_cell(code)]
    nbformat.write(new_notebook(cells=cells), path)
    return notebook_code.notebook_hash(path)


def test_only_code_that_computes_counts_in_a_notebooks_hash(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    original = notebook(path, "run()")
    assert notebook(path, "run()", prose="better prose") == original
    assert notebook(path, "run()", default="x = 2") == original
    assert notebook(path, "run() + 1") != original
