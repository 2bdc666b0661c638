"""A project of videos of a second, and of analyzers that only wait: what is left is the service.

Each analyzer notes where it has ended, so that what was done twice can be counted.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from kairos_lib.project import Project

CHECKOUT = Path(__file__).resolve().parents[1]
NAMES = ("waits_a", "waits_b")
NOTES = "ended.log"
"""Below the project: a line for each time that an analyzer has ended."""
DEADLY = "deadly"
"""Part of the name of a video that ends the process that analyzes it."""
SOURCE = '''"""Waits, as long as an analyzer might take."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class WaitsSettings(Settings):
    seconds: float = Field(0.2, ge=0)


class Waited(Record):
    scene: int
    time_s: float
    content: str


class Analyzer(Stage):
    name: ClassVar[str] = "{name}"
    version: ClassVar[int] = 1
    record: ClassVar[type[Waited]] = Waited
    settings: ClassVar[type[Settings]] = WaitsSettings
    placed: ClassVar[bool] = True

    def run(self):
        if "{deadly}" in self.context.video.name:
            os.kill(os.getpid(), signal.SIGKILL)
        seconds = getattr(self.context.profile, self.name).seconds
        for part in range(4):
            time.sleep(seconds / 4)
            self.context.progress(part + 1, 4)
        content = self.context.facts.sha256
        with Path(os.environ["KAIROS_ROOT"], "{notes}").open("a") as file:
            file.write(f"{{self.name}} {{content}}\\n")
        yield Waited(scene=-1, time_s=0.0, content=content)
'''


def make_project(
    root: Path,
    seconds: float,
    memory_limit_mib: int | None = None,
    processes: int = 1,
    **settings: Any,
) -> Project:
    """A project with two analyzers that wait, each in a group of its own.

    Args:
        root: Its folder.
        seconds: How long each analyzer waits.
        memory_limit_mib: Of each group.
        processes: Of each group's worker.
        settings: Of the service.
    """
    (root / "analyzers").mkdir(parents=True)
    (root / "videos").mkdir()
    (root / "notebooks").symlink_to(CHECKOUT / "notebooks")
    for name in NAMES:
        source = SOURCE.format(name=name, notes=NOTES, deadly=DEADLY)
        (root / "analyzers" / f"{name}.py").write_text(source, encoding="utf-8")
    base = {"title": "Waiting", "stages": ["scenes", *NAMES]}
    base |= {name: {"seconds": seconds} for name in NAMES}
    groups: dict[str, dict[str, Any]] = {
        "look": {"analyzers": ["scenes", NAMES[0]]},
        "listen": {"analyzers": [NAMES[1]]},
    }
    for group in groups.values():
        group |= {"memory_limit_mib": memory_limit_mib, "processes": processes}
    service = {"title": "Waiting", "base": "waiting", "groups": groups, "free_disk_mib": 10}
    for folder, values in (("base", base), ("service", {**service, **settings})):
        path = root / "parameters" / folder / "waiting.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return Project(root)


def environment(project: Project) -> dict[str, str]:
    """What processes need to find the project and its analyzers."""
    return {
        "KAIROS_ROOT": str(project.root),
        "KAIROS_ANALYZERS": str(project.root / "analyzers"),
    }


def make_videos(project: Project, count: int, prefix: str = "video") -> list[str]:
    """Videos of a second, each of another content.

    Returns:
        Their paths relative to the project.
    """
    return copies(project, _video(project.root / "pattern.mp4"), count, prefix)


def copies(project: Project, pattern: bytes, count: int, prefix: str) -> list[str]:
    """A video several times, each of another content; their paths relative to the project."""
    paths = []
    for number in range(count):
        path = project.root / "videos" / f"{prefix}-{number:03d}.mp4"
        # A box that players skip makes another content of the same pictures.
        own = struct.pack(">II", zlib.crc32(prefix.encode()), number)
        path.write_bytes(pattern + struct.pack(">I4s8s", 16, b"free", own))
        paths.append(str(path.relative_to(project.root)))
    return paths


def _video(path: Path) -> bytes:
    with av.open(f"file:{path}", "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            image = np.full((48, 64, 3), 40 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()
