"""Scripts for SLURM, and its answers: with programs that stand in for its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import CHECKOUT

from kairos_lib.errors import KairosError
from kairos_lib.launch import slurm
from kairos_lib.launch.slurm import Chunk, Queued, Surroundings
from kairos_lib.parameters.cluster import Cluster
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.project import Project

NASTY = "a 'b' $(touch x) `touch x`; touch x #%j \\"
SAYS = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), os.environ['WHO']]))"


def program(folder: Path, name: str, code: str) -> None:
    """A program of that name, in Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("tasks", "size"), [(2500, 1001), (1001, 1001), (1002, 1001), (5, 2)])
def test_arrays_are_as_many_as_their_indices_need(tasks: int, size: int) -> None:
    parts = slurm.chunks(range(tasks), size)
    assert len(parts) == -(-tasks // size)
    assert [n for part in parts for n in part.tasks] == list(range(tasks))
    assert all(0 <= n - part.offset < size for part in parts for n in part.tasks)


def test_tasks_that_are_missing_are_told_by_their_spans() -> None:
    (first, second) = slurm.chunks([0, 1, 2, 7, 1003, 1005, 1006], 1001)
    assert (first.offset, first.indices) == (0, "0-2,7")
    assert (second.offset, second.indices) == (1001, "2,4-5")


def test_what_goes_into_a_script_is_text_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / NASTY
    folder.mkdir()
    cluster = Cluster(name="here", setup=("export SETUP=done",))
    around = Surroundings(folder, {"WHO": NASTY})
    command = [sys.executable, "-c", SAYS, NASTY, "{}"]
    script = slurm.array_script(cluster, "kairos", Chunk(1001, (1004,)), command, around)
    answer = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, slurm.INDEX: "3"}, timeout=30,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == [[NASTY, "1004"], str(folder), NASTY]
    assert not list(tmp_path.glob("**/x"))


def test_a_script_asks_for_what_the_file_says() -> None:
    cluster = Cluster(
        name="here", partition="gpu", account="lab", gpus=2, cpus=8, memory_mib=64_000,
        limit_minutes=30, grace_s=90, throttle=4, exclusive=True, lines=("--constraint=a100",),
    )  # fmt: skip
    around = Surroundings(Path("/"), {})
    script = slurm.array_script(cluster, "kairos", Chunk(0, (0, 1, 2)), ["true"], around, "12")
    asked = {line.removeprefix("#SBATCH ") for line in script.splitlines() if "#SBATCH" in line}
    assert asked >= {
        "--partition=gpu", "--account=lab", "--gres=gpu:2", "--cpus-per-task=8", "--mem=64000M",
        "--time=30", "--signal=B:USR2@90", "--array=0-2%4", "--exclusive", "--constraint=a100",
        "--dependency=afterany:12", "--no-requeue",
    }  # fmt: skip
    after = slurm.job_script(cluster, "kairos", ["true"], around, "12:13")
    assert "--dependency=afterany:12:13" in after
    assert "--gres" not in after


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"lines": ["--array=0-9"]}, "is what Kairos says itself"),
        ({"lines": ["-p other"]}, "is what Kairos says itself"),
        ({"lines": ["touch x"]}, "must be options of sbatch"),
        ({"lines": ["--qos=a\n#SBATCH --array=1"]}, "must be one line"),
        ({"setup": ["a\u2028b"]}, "must be one line"),
        ({"setup": ["a\x1bb"]}, "must be one line"),
        ({"partition": "gpu other"}, "'partition'"),
        ({"account": "x\n#SBATCH"}, "'account'"),
        ({"limit_minutes": 1, "grace_s": 60}, "grace_s must be shorter than limit_minutes"),
        ({"gpu": 1}, "did you mean 'gpus'"),
        ({"collector": {"lines": ["--dependency=afterok:1"]}}, "is what Kairos says itself"),
    ],
)
def test_a_file_that_would_make_another_script_is_one_line(
    values: dict[str, object], expected: str
) -> None:
    with pytest.raises(KairosError, match=expected) as error:
        validate(Cluster, {**values, "name": "x"}, "parameters/slurm/x.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_the_example_is_a_file_that_is_read() -> None:
    from kairos_lib.parameters.loading import load

    assert load(Project(CHECKOUT), Cluster, "example").collector.memory_mib == 8000


def test_slurm_is_told_nothing_of_the_job_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of SBATCH_ variables each would go before a line of the script."""
    says = "import os, sys; open('seen', 'w').write(sys.stdin.read() + '\\n'.join(os.environ))"
    program(tmp_path, "sbatch", f"{says}; print('17;cluster')")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("SBATCH_PARTITION", "SLURM_JOB_ID", "KAIROS_SUITE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    folder = tmp_path / "submission"
    assert slurm.submit("#!/bin/bash\n", folder) == "17"
    seen = (folder / "seen").read_text().splitlines()
    assert seen[0] == "#!/bin/bash"
    assert "SLURM_CONF" in seen
    assert not {"SBATCH_PARTITION", "SLURM_JOB_ID", "KAIROS_SUITE", "CUDA_VISIBLE_DEVICES"} & {
        *seen
    }
    assert (folder / "logs").is_dir()


def test_what_slurm_refuses_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; sys.exit('sbatch: error: invalid partition\\nsbatch: error: it failed')"
    program(tmp_path, "sbatch", code)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KairosError, match=r"^sbatch refused: invalid partition; it failed$"):
        slurm.submit("", tmp_path)
    with pytest.raises(KairosError, match="squeue is not installed here"):
        slurm.queue()


def test_slurm_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "squeue", "import time; time.sleep(60)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slurm, "ASK_S", 0.5)
    with pytest.raises(KairosError, match="gave no answer within"):
        slurm.queue()


def test_the_queue_knows_arrays_by_their_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "12|3|RUNNING|None\n12|4|PENDING|JobArrayTaskLimit\n13|N/A|PENDING|Dependency"
    program(tmp_path, "squeue", f"print({said!r})")
    monkeypatch.setenv("PATH", str(tmp_path))
    running, waiting, job = slurm.queue()
    assert (running.job, running.index, running.runs) == ("12", 3, True)
    assert (waiting.index, waiting.runs) == (4, False)
    assert job == Queued("13", None, "PENDING", "Dependency")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("slurmstepd: error: *** JOB 5 ON n CANCELLED AT 2026 DUE TO TIME LIMIT ***", "limit"),
        ("slurmstepd: error: *** JOB 5 ON n CANCELLED AT 2026-01-01T00:00:00 ***", "cancelled"),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.batch", "oom"),
        ("a notebook that prints CANCELLED AT will", ""),
    ],
)
def test_a_log_says_why_slurm_ended_a_job(tmp_path: Path, line: str, expected: str) -> None:
    log = tmp_path / "log.txt"
    assert slurm.ending_in(log) == ""
    log.write_text("x" * 20_000 + f"\n{line}\n")
    assert slurm.ending_in(log) == expected
