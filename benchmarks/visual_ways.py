"""The ways from a film to its scenes and thumbnails, and bare decoding, that `visual` times."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.workshop import Workshop
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.runs.journal import Journal

PROFILE = Base(name="visual", title="Scenes and thumbnails", stages=("scenes",))


@dataclass(frozen=True)
class Found:
    """What a contender found; cuts are where scenes after the first begin."""

    cuts_s: tuple[float, ...] = ()
    thumbnails: tuple[Path, ...] = ()


def kairos_pass(workshop: Workshop, video: Path) -> Found:
    """The visual pass as base processing runs it."""
    session = workshop.process(video, PROFILE)
    scenes = list(Journal(session.run.file("scenes.jsonl"), Scene))
    return Found(
        tuple(scene.start_s for scene in scenes[1:]),
        tuple(session.run.file(f"thumbnails/{n}") for scene in scenes for n in scene.thumbnails),
    )


def earlier_way(video: Path, folder: Path) -> Found:
    """PySceneDetect over OpenCV, then two seeks per scene with OpenCV."""
    import cv2
    from scenedetect import ContentDetector, SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(ContentDetector())
    manager.detect_scenes(open_video(str(video), backend="opencv"))
    scenes = manager.get_scene_list(start_in_scene=True)
    folder.mkdir(parents=True)
    written = []
    capture = cv2.VideoCapture(str(video))
    for index, (start, end) in enumerate(scenes):
        for number in (start.frame_num, (start.frame_num + end.frame_num) // 2):
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            got, image = capture.read()
            if not got:
                raise KairosError(f"OpenCV cannot read frame {number} of {video.name}")
            written.append(folder / f"{index:04d}-{number}.jpg")
            cv2.imwrite(str(written[-1]), cv2.resize(image, thumbnail_size(image)))
    return Found(tuple(start.seconds for start, _ in scenes[1:]), tuple(written))


def scenedetect_command(video: Path, folder: Path) -> Found:
    """The command as it comes, writing its list of scenes."""
    folder.mkdir(parents=True)
    command = Path(sys.executable).with_name("scenedetect")
    output(
        [
            str(command), "-q", "-i", str(video), "-o", str(folder), "detect-content",
            "list-scenes", "-q", "-s", "-f", "scenes.csv",
        ]
    )  # fmt: skip
    with (folder / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Found(tuple(float(row["Start Time (seconds)"]) for row in rows[1:]))


def bare_decode(video: Path) -> Found:
    """Ffmpeg decodes the video stream and throws it away."""
    output(
        [ffmpeg(), "-nostdin", "-v", "error", "-i", str(video), "-map", "0:v:0", "-f", "null", "-"]
    )
    return Found()


def bare_decode_pyav(video: Path) -> Found:
    """The same in this process, with the decoder that Kairos uses."""
    import av

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass
    return Found()


def thumbnail_size(image: np.ndarray) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = min(1.0, PROFILE.scenes.thumbnail_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        raise KairosError("this benchmark needs the ffmpeg command: install it, e.g. with apt-get")
    return found


def output(command: list[str]) -> str:
    """Run a command.

    Raises:
        KairosError: It failed; its last line says why.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise KairosError(f"{Path(command[0]).name} failed: {last}")
    return done.stdout
