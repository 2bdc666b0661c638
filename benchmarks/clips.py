"""The videos that are measured on: made at first use, kept outside git, always the same."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks import film
from kairos_lib.errors import KairosError
from kairos_lib.media.video import open_container
from kairos_lib.nano.script import Play, Say, Script, random_script
from kairos_lib.nano.truth import ClipTruth
from kairos_lib.nano.world import FPS as WORLD_FPS
from kairos_lib.project import Project
from kairos_lib.runs.record import Record

FILM_VERSION = 1
"""Raised when the films are drawn otherwise: a new one is then made beside the old."""
LOOP_S = 32.0
LOOPS = 4
# A fixed number of threads, for it decides the bits.
X264 = {"threads": "4"}
_AUDIO_HZ = 16_000
_VOICE_EVERY_SCENES = 10


@dataclass(frozen=True)
class FilmSize:
    """A resolution with a bitrate that is usual for it at 25 frames a second."""

    name: str
    width: int
    height: int
    bits_per_s: int


FILM_SIZES = (
    FilmSize("720p", 1280, 720, 4_000_000),
    FilmSize("1080p", 1920, 1080, 7_000_000),
)


class FilmTruth(Record):
    """Where a film was cut."""

    hard_cuts_s: tuple[float, ...]
    fades_s: tuple[float, ...]
    """Where a shot had faded to black and the next came out of it."""


class StreamFacts(Record):
    """What a table says of the video that it was measured on."""

    width: int
    height: int
    frames_per_second: float
    duration_s: float
    codec: str
    profile: str
    mbit_per_s: float
    """Of the video stream alone."""
    b_frames: bool

    def told(self) -> str:
        """In one line."""
        order = "with B-frames" if self.b_frames else "without B-frames"
        return (
            f"{self.width}×{self.height}, {self.frames_per_second:g} fps, {self.duration_s:.1f} s, "
            f"{self.codec} {self.profile} {order}, {self.mbit_per_s:.2f} Mbit/s"
        )


def cache(project: Project) -> Path:
    """Where the videos are kept."""
    return project.runs / "benchmarks"


def stream_facts(video: Path) -> StreamFacts:
    """Read a video stream's facts; every packet is looked at, none is decoded."""
    with open_container(video) as container:
        stream = container.streams.video[0]
        size_bytes = 0
        end_s = 0.0
        reordered = False
        for packet in container.demux(stream):
            size_bytes += packet.size
            if packet.pts is None or packet.dts is None:
                continue
            reordered = reordered or packet.pts != packet.dts
            end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        start_s = float((stream.start_time or 0) * (stream.time_base or 0))
        duration_s = end_s - start_s
        return StreamFacts(
            width=stream.width,
            height=stream.height,
            frames_per_second=float(stream.average_rate or 0),
            duration_s=duration_s,
            codec=stream.codec_context.name,
            profile=str(stream.profile or ""),
            mbit_per_s=size_bytes * 8 / duration_s / 1e6,
            b_frames=reordered,
        )


def film_clip(folder: Path, size: FilmSize, loop_s: float = LOOP_S, loops: int = LOOPS) -> Path:
    """A film with hard cuts, fades, moving textures and grain; its truth lies beside it.

    x264 takes about a tenth of real time for it, so that a short film is coded once and its
    packets are repeated; a decoder has the same work with every repeat.
    """
    name = f"film-{size.name}-{loop_s:g}s-x{loops}-v{FILM_VERSION}"
    path = folder / f"{name}.mp4"

    def make(partial: Path) -> None:
        cut = film.shots(loop_s, seed=1)
        loop = partial.with_suffix(".loop.mp4")
        try:
            _encode_film(loop, cut, size)
            repeat(loop, partial, loops, loop_s)
        finally:
            loop.unlink(missing_ok=True)
        (folder / f"{name}.json").write_text(_film_truth(cut, loop_s, loops).model_dump_json())

    return once(path, make)


def film_truth(clip: Path) -> FilmTruth | None:
    """What is known of a film; none of a user's own video."""
    path = clip.with_suffix(".json")
    if not path.exists():
        return None
    return FilmTruth.model_validate_json(path.read_bytes())


def world_clip(folder: Path, scenes: int = 75, duration_s: float = 480.0) -> Path:
    """A long clip of the nano models' world, with speech and sounds, and its truth beside it.

    Raises:
        NoVoiceError: espeak-ng is not installed.
    """
    from workshop.nano.clip import make_clip

    name = f"world-{scenes}-scenes-{duration_s:g}s"

    def make(partial: Path) -> None:
        script = _long_script(partial.stem, scenes, duration_s)
        truth = make_clip(script, folder)
        if abs(truth.duration_s - duration_s) > 1.0:
            raise KairosError(
                f"the clip came out {truth.duration_s:.1f} s long instead of {duration_s:.1f} s: "
                "its sounds need longer scenes"
            )
        partial.with_suffix(".json").rename(folder / f"{name}.json")

    return once(folder / f"{name}.mp4", make)


def world_truth(clip: Path) -> ClipTruth:
    """What is true of a clip of the nano models' world."""
    return ClipTruth.load(clip.with_suffix(".json"))


def many_scenes_clip(folder: Path, scenes: int) -> Path:
    """A tiny video with a cut every second, tones and now and then a voice: cheap to look at.

    Raises:
        NoVoiceError: espeak-ng is not installed.
    """
    return once(folder / f"scenes-{scenes}.mp4", lambda partial: _many_scenes(partial, scenes))


def once(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a file unless it is there; one that was cut short never takes its place."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        make(partial)
        partial.rename(path)
    return path


def _encode_film(path: Path, cut: list[film.Shot], size: FilmSize) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=film.FPS, options=X264)
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.bit_rate = size.bits_per_s
        for index, planes in enumerate(film.frames(cut, size.width, size.height, seed=1)):
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, film.FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def repeat(loop: Path, path: Path, loops: int, loop_s: float) -> None:
    """Write a film's packets several times over, each time later."""
    import av

    with av.open(str(path), "w") as target:
        out = None
        for number in range(loops):
            with av.open(str(loop)) as source:
                stream = source.streams.video[0]
                if out is None:
                    out = target.add_stream_from_template(stream)
                shift = round(number * loop_s / stream.time_base)
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = out
                    target.mux(packet)


def _film_truth(cut: list[film.Shot], loop_s: float, loops: int) -> FilmTruth:
    hard: list[float] = []
    fades: list[float] = []
    for number in range(loops):
        for before, shot in zip([cut[-1], *cut], cut, strict=False):
            at_s = number * loop_s + shot.first_frame / film.FPS
            if at_s > 0:
                (fades if before.fades else hard).append(at_s)
    return FilmTruth(hard_cuts_s=tuple(hard), fades_s=tuple(fades))


def _long_script(name: str, scenes: int, duration_s: float) -> Script:
    """A random script whose scenes share out an exact length."""
    drawn = random_script(75, shots=scenes, style="speech")
    rng = random.Random(75)
    # Room for what is heard in each scene, then the rest shared out by chance.
    least_s = [_least_s(shot.track) for shot in drawn.shots]
    shares = [rng.uniform(0.3, 1.0) for _ in least_s]
    spare_s = duration_s - sum(least_s)
    if spare_s < 0:
        raise KairosError(f"{scenes} scenes need {sum(least_s):.0f} s, not {duration_s:.0f} s")
    ends = np.cumsum([s + spare_s * q / sum(shares) for s, q in zip(least_s, shares, strict=True)])
    frames = np.diff([0, *np.round(ends * WORLD_FPS).astype(int)])
    shots = tuple(
        dataclasses.replace(shot, duration_s=int(count) / WORLD_FPS)
        for shot, count in zip(drawn.shots, frames, strict=True)
    )
    return dataclasses.replace(drawn, name=name, shots=shots)


def _least_s(track: tuple[object, ...]) -> float:
    """Longer than what is heard, so that the script decides how long a scene is."""
    seconds = 2.4
    for item in track:
        if isinstance(item, Say):
            seconds += 0.5 * len(item.text.split()) + 0.4
        elif isinstance(item, Play):
            seconds += item.duration_s + 0.2
    return seconds


def _many_scenes(path: Path, scenes: int) -> None:
    """Plain colours with a bar that moves, over tones that change with them, and a voice."""
    import av

    from workshop.nano.utterances import at_16_khz
    from workshop.nano.voice import speak

    fps, size = 10, (64, 36)
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "threads": "1", "g": str(fps)}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=_AUDIO_HZ, layout="mono")
        second = np.arange(_AUDIO_HZ) / _AUDIO_HZ
        spoken = at_16_khz(speak(Say("here is a red circle")).wave)[: 2 * _AUDIO_HZ]
        spoken = np.pad(spoken, (0, 2 * _AUDIO_HZ - len(spoken)))
        colour = np.zeros(3, dtype=np.int64)
        for scene in range(scenes):
            # Far from the colour before, so that any detector sees the cut.
            colour = (colour + rng.integers(90, 160, 3)) % 256
            for index in range(fps):
                image = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
                image[:8, index * 6 : index * 6 + 4] = 255 - image[0, 0]
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = scene * fps + index, Fraction(1, fps)
                container.mux(video.encode(picture))
            pitch_hz = 200 + 40 * int(rng.integers(20))
            samples = (np.sin(2 * np.pi * pitch_hz * second) * 6000).astype(np.int16)
            if (part := scene % _VOICE_EVERY_SCENES) < 2:
                samples = spoken[part * _AUDIO_HZ : (part + 1) * _AUDIO_HZ]
            sound = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            sound.sample_rate, sound.pts = _AUDIO_HZ, scene * _AUDIO_HZ
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
