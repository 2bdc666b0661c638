"""Works through a folder of odd media files, and writes what came of each as a line of JSON.

A process of its own: a hang or a crash in a decoder is then the failure of a test, not of all.
Run as `python odd_runner.py FOLDER PROFILE`, with `KAIROS_ROOT` set.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.media.scene import Scene
from kairos_lib.media.video import VideoFile
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal


def outcome(path: Path, profile: str) -> dict[str, object]:
    """Process one file as the notebook does."""
    runs = Project.find().runs
    before = set(runs.glob("base/**/result.json"))
    try:
        session = BaseSession.open(str(path), profile)
        session.process()
    except KairosError as error:
        return {"refused": str(error), "done": set(runs.glob("base/**/result.json")) != before}
    except Exception:
        return {"crash": traceback.format_exc()}
    result = session.run.result(BaseResult)
    scenes = list(Journal(session.run.file("scenes.jsonl"), Scene))
    wav = session.run.file("audio.wav")
    frames = list(VideoFile(path).frames())
    return {
        "done": result is not None,
        "frames": len(frames),
        "first": frames[0].image()[-2, -2].tolist(),
        "size": frames[0].size,
        "scenes": [(scene.start_s, scene.end_s) for scene in scenes],
        "seconds": result.facts.duration_s if result else None,
        "told": "; ".join(result.facts.problems) if result else "",
        "sound_s": audio.duration_s(wav) if wav.exists() else None,
        "hertz": audio_hertz(wav) if wav.exists() else None,
    }


def audio_hertz(wav: Path) -> float:
    """The loudest pitch of the whole."""
    import numpy as np

    samples = audio.read(wav)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * audio.SAMPLE_RATE_HZ / len(samples))


def own_peak_mib() -> float:
    """Most memory this process ever held; `ru_maxrss` counts that of whoever started it as well."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    folder, profile = Path(sys.argv[1]), sys.argv[2]
    for path in sorted(folder.iterdir()):
        tell({"file": path.name, "starts": True})
        started = time.perf_counter()
        found = outcome(path, profile)
        peak_mib = own_peak_mib()
        took_s = time.perf_counter() - started
        tell({"file": path.name, "took_s": took_s, "peak_mib": peak_mib, **found})


def tell(line: dict[str, object]) -> None:
    """Write at once, so that what hangs is known."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
