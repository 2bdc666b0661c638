"""Run folders made through the records, as the bench and the notebooks would leave them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.measure.usage import Resources
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.manifest import Manifest, PlannedBase, PlannedStep, PlannedVlm
from kairos_lib.runs.status import Status
from kairos_lib.vlm.records import Caption, FusedScene, ScenarioResult, Timing, VlmResult

HERE = Path(__file__).resolve().parents[2]
STAGES = {"scenes": 1.2, "audio": 0.2, "vad": 0.4, "speech": 3.1, "sounds": 0.9, "objects": 2.2}
MACHINE = {
    "cpu": "Example CPU 9000", "threads": 16, "cores": 8, "ram_mib": 65536,
    "gpus": [{"name": "Example GPU", "memory_mib": 24576, "driver": "555.1"}],
    "system": "Linux-6.1", "boot_time_s": 1,
}  # fmt: skip
FIRST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LASTS = timedelta(minutes=9)
CLOCK = {
    "started_at": "2026-03-02T10:00:00.000+00:00", "ended_at": "2026-03-02T10:09:00.000+00:00"
}  # fmt: skip


class SuiteMaker:
    """Writes a suite piece by piece; `write` ends with its manifest."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root.resolve())
        for name in ("parameters", "notebooks"):
            (root / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "notebooks" / "analysis.ipynb", root / "notebooks")
        self.bases: list[PlannedBase] = []
        self.runs: list[PlannedVlm] = []
        self.further: list[PlannedStep] = []
        self.videos: dict[str, tuple[str, list[Scene]]] = {}

    def base(
        self,
        video: str = "match",
        title: str = "Match",
        scenes: int = 3,
        scene_s: float = 10.0,
        stages: Sequence[StageReport] | None = None,
        machine: dict[str, Any] = MACHINE,
        status: Status | None = None,
        resumed: bool = False,
        **result: Any,
    ) -> Path:
        """A video's base processing; done where no status says otherwise."""
        folder = self.project.runs / "base" / video / "key0"
        made = []
        for index in range(scenes):
            names = (f"{index:05d}-start.jpg", f"{index:05d}-middle.jpg")
            for share, name in enumerate(names):
                draw_thumbnail(folder / "thumbnails" / name, index, share, title)
            start_s = index * scene_s
            made.append(
                Scene(index=index, start_s=start_s, end_s=start_s + scene_s, thumbnails=names)
            )
        self.videos[video] = (title, made)
        Journal(folder / "scenes.jsonl", Scene).write_all(iter(made))
        write_json(folder / "key.json", {})
        write_json(folder / "provenance.json", provenance(machine))
        reports = stages or [
            StageReport(name=name, state="done", time_s=time_s, records=3)
            for name, time_s in STAGES.items()
        ]
        status = status or Status(state="done", **CLOCK)
        write_record(folder / "status.json", status)
        if status.state == "done":
            values: dict[str, Any] = {
                "key": "key0", "video": video, "title": title,
                "facts": VideoFacts(
                    sha256="0" * 64, size_bytes=1, duration_s=scenes * scene_s, width=640,
                    height=360, frames_per_second=25, codec="h264",
                ),
                "profile": "default", "scenes": scenes, "stages": tuple(reports), "decode_s": 2.0,
                "total_s": 2.0 + sum(report.time_s for report in reports), "resumed": resumed,
            }  # fmt: skip
            write_record(folder / "result.json", BaseResult(**(values | result)))
        else:
            for report in reports:
                write_record(folder / f"{report.name}.json", report)
        self.bases.append(PlannedBase(video=video, title=title, folder=self._relative(folder)))
        return folder

    def plan(
        self, model: str = "small", title: str = "Small", video: str = "match", repeat: int = 1,
        problem: str = "",
    ) -> Path:  # fmt: skip
        """A planned run of a model, with nothing in its folder."""
        folder = self.project.runs / "vlm" / model / video / "key1" / f"r{repeat:03d}"
        self.runs.append(
            PlannedVlm(
                model=model, model_title=title, video=video, repeat=repeat,
                folder=self._relative(folder), problem=problem,
            )
        )  # fmt: skip
        return folder

    def fused(
        self, folder: Path, video: str = "match", captions: Sequence[str | Caption] = (),
        transcript: str = "And here they come again.",
    ) -> None:  # fmt: skip
        """The scenes that a run got to."""
        journal = Journal(folder / "fused.jsonl", FusedScene)
        for scene, said in zip(self.videos[video][1], captions, strict=False):
            caption = captioned(scene.index, said)
            journal.append(
                FusedScene(
                    scene=scene, transcript=transcript, segments=spoken(scene, transcript),
                    sounds=(SoundEvent(scene=scene.index, label="applause", score=0.83),),
                    objects=tuple(
                        Detection(scene=scene.index, time_s=scene.start_s, label=label, score=0.9,
                                  box=(0, 0, 1, 1))
                        for label in ("ball", "person", "person")
                    ),
                    prompt="Describe the scene.", caption=caption,
                )
            )  # fmt: skip

    def done(
        self, model: str = "small", title: str = "Small", video: str = "match", repeat: int = 1,
        time_s: float = 15.0, parts: int = 1, captions: Sequence[str | Caption] | None = None,
        machine: dict[str, Any] = MACHINE, transcript: str = "And here they come again.",
        alone: Sequence[Caption] | None = None, key: dict[str, Any] | None = None,
        given: dict[str, Any] | None = None, **result: Any,
    ) -> Path:  # fmt: skip
        """A run of a model that is done; `alone` are the captions of the single-stream scenario."""
        folder = self.plan(model, title, video, repeat)
        name, scenes = self.videos[video]
        count = len(scenes)
        said = captions or [f"{title} sees scene {index}." for index in range(count)]
        self.fused(folder, video, said, transcript)
        together = [captioned(scene, text) for scene, text in enumerate(said)]
        Journal(folder / "captions.jsonl", Caption).write_all(iter(together))
        if alone is None:
            alone = [single(scene, time_s * 1.4 / count) for scene in range(count)]
        Journal(folder / "single_stream.jsonl", Caption).write_all(iter(alone))
        values: dict[str, Any] = {
            "key": "key1", "model": model, "model_title": title, "video": video, "title": name,
            "repeat": repeat, "duration_s": scenes[-1].end_s, "scenes": count, "load_s": 4.2,
            "single_stream": scenario("single-stream", count, time_s * 1.4),
            "offline": scenario("offline", count, time_s, parts=parts),
            "resources": Resources(samples=90, peak_ram_mib=2048, peak_vram_mib=9216),
            "weights_source": "hub", "weights": "a1b2c3d4e5f60718293a", "device": "Example GPU",
            "attention": "sdpa", "parameters_millions": 4200.0,
        }  # fmt: skip
        write_json(folder / "key.json", key or {})
        write_json(folder / "provenance.json", {**provenance(machine), "given": given or {}})
        write_record(folder / "result.json", VlmResult(**(values | result)))
        write_record(folder / "status.json", Status(state="done", **self._clock()))
        return folder

    def failed(
        self, model: str = "large", title: str = "Large", video: str = "match", repeat: int = 1,
        message: str = "out of memory at batch size 1", captions: Sequence[str] = (),
    ) -> Path:  # fmt: skip
        """A run that ran out of memory."""
        folder = self.plan(model, title, video, repeat)
        self.fused(folder, video, captions)
        write_json(folder / "key.json", {})
        write_record(
            folder / "status.json",
            Status(state="failed", reason="oom", message=message, **self._clock()),
        )
        return folder

    def write(self, name: str = "demo", title: str = "Demo suite", **more: Any) -> Project:
        """The manifest, and with it the suite."""
        plan = Manifest(
            name=name, title=title, repeats=max((run.repeat for run in self.runs), default=1),
            steps=(*self.bases, *self.runs, *self.further), **more,
        )  # fmt: skip
        write_record(self.project.runs / "suites" / f"{name}.json", plan)
        return self.project

    def _clock(self) -> dict[str, str]:
        """When the last run that was planned was made: round by round, in turn."""
        repeat = self.runs[-1].repeat
        before = sum(run.repeat == repeat for run in self.runs)
        start = FIRST + timedelta(minutes=30 * repeat, seconds=before)
        return {"started_at": start.isoformat(), "ended_at": (start + LASTS).isoformat()}

    def _relative(self, folder: Path) -> str:
        return str(folder.relative_to(self.project.root))


def captioned(scene: int, said: str | Caption) -> Caption:
    """A caption, of which the text alone may be given."""
    return Caption(scene=scene, text=said) if isinstance(said, str) else said


def single(
    scene: int,
    seconds: float,
    new: int = 60,
    prompt: int = 900,
    visual: int = 800,
    text: str = "A.",
) -> Caption:
    """A caption of a scene on its own."""
    return Caption(
        scene=scene, text=text, prompt_tokens=prompt, visual_tokens=visual, new_tokens=new,
        timing=Timing(total_s=seconds), part="first", elapsed_s=seconds * (scene + 1),
    )  # fmt: skip


def scenario(
    name: Any,
    scenes: int,
    time_s: float,
    parts: int = 1,
    failed: int = 0,
    energy_j: float | None = None,
) -> Any:
    """A scenario whose parts add up to its time."""
    shares = (0.15, 0.05, 0.2, 0.55, 0.05)
    frames, preprocess, prefill, decode, other = (share * time_s for share in shares)
    return ScenarioResult(
        scenario=name, scenes=scenes, failed=failed, time_s=time_s,
        timing=Timing(
            frames_s=frames, preprocess_s=preprocess, prefill_s=prefill, decode_s=decode,
            other_s=other, total_s=time_s,
        ),
        prompt_tokens=900 * scenes, visual_tokens=800 * scenes, new_tokens=60 * scenes,
        truncated=0, batch_size=4, parts=parts, frames=2 * scenes, energy_j=energy_j,
    )  # fmt: skip


def provenance(machine: dict[str, Any]) -> dict[str, Any]:
    """What a run was made with."""
    return {
        "kairos": "0.1.0", "python": "3.12.3", "executable": "/somewhere/python",
        "packages": {"torch": "2.8.0", "transformers": "5.0.0"}, "machine": machine,
        "git": {"commit": "0123456789abcdef0123", "dirty": True}, "environment": {},
    }  # fmt: skip


def draw_thumbnail(path: Path, scene: int, share: int, title: str) -> None:
    """A field, a sun and a ball that moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hue = (hash_of(title) + scene * 47) % 360
    image = Image.new("RGB", (320, 180), f"hsl({hue}, 40%, 62%)")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 110, 320, 180), fill=f"hsl({(hue + 90) % 360}, 35%, 42%)")
    draw.ellipse((250, 18, 290, 58), fill="#fff3c4")
    left = 40 + share * 120 + scene * 9 % 60
    draw.ellipse((left, 105, left + 36, 141), fill="#f5f5f5", outline="#333333", width=2)
    image.save(path, quality=80)


def hash_of(text: str) -> int:
    """The same from one run to the next."""
    return sum(map(ord, text)) * 37


def spoken(scene: Scene, transcript: str) -> tuple[Segment, ...]:
    """All that is said in a scene, in one segment."""
    if not transcript:
        return ()
    return (
        Segment(
            scene=scene.index, start_s=scene.start_s, end_s=scene.end_s, text=transcript,
        ),
    )  # fmt: skip
