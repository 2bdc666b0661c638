"""The lines of docs/api.md, run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from bullmq import Job
from helpers.api_server import Api, told, worker, write_result
from helpers.projects import CHECKOUT, write_parameters

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine"),
]


def test_every_line_of_the_documentation_does_what_it_says(api: Api) -> None:
    write_parameters(
        api.project, "videos", "demo-match", {"title": "Match", "path": "videos/match.mp4"}
    )
    returned = write_result(api.project, "d0c5", {"scenes": []})

    async def work(job: Job) -> dict[str, Any]:
        await job.updateProgress(told(1, 2))
        return returned

    async def answer(job: Job) -> dict[str, Any]:
        return {"answer": "A goal."}

    text = (CHECKOUT / "docs" / "api.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S)
    script = "".join(blocks).replace("http://127.0.0.1:8003", api.address)
    # The model under test has another name.
    script = script.replace("curl -sS", "curl --fail-with-body -sS").replace('"nano"', '"tiny"')
    # Here a job may have ended before it is cancelled, which is refused.
    cancel = next(line for line in script.splitlines() if "/cancel" in line)
    script = script.replace(cancel, cancel.replace(" --fail-with-body", ""))
    api.beat("cpu")
    api.beat("vlm")
    with worker(api.redis, work), worker(api.redis, answer, "kairos-vlm"):
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=api.project.root,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"state":"done"' in ran.stdout and "event: job" in ran.stdout
    assert '"content":"A goal."' in ran.stdout and "kairos_queue_jobs" in ran.stdout
    assert (api.project.root / "result.json").read_text() == '{"scenes": []}'
