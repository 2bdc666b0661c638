"""Base processing as the pipeline before Kairos did it: one thing after another.

Knows nothing of Kairos's stages. Where the two could differ for reasons that are not the order of
the work (how audio is resampled, frames are scaled, where a voice is found), this takes the very
same input, so that results can be compared to the last digits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.media import audio
from kairos_lib.media.video import VideoFile

WINDOW_S = 10.24
"""What AST sees at once; none of the scenes here is longer by much."""
SHORTEST_S = 0.5
"""Less than this left beside the speech is not listened to."""
SLOT_SLACK_S = 0.005
"""A request that waited for its slot to the very microsecond may arrive before it."""


@dataclass
class Findings:
    """What base processing found, by either way, and how long its parts took."""

    cuts_s: tuple[float, ...] = ()
    transcripts: tuple[str, ...] = ()
    """One for each scene."""
    sounds: tuple[SoundEvent, ...] = ()
    objects: tuple[Detection, ...] = ()
    parts_s: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""
    requests: int = 0
    """Sent to the speech server."""
    refused: int = 0
    """Of them, for breaking its limit."""


class Sequential:
    """Scene detection, then speech, then sounds, then objects.

    Args:
        video: What is processed.
        profile: Whose models and thresholds are used.
        weights: Where the models of `sounds` and `objects` lie.
        url: Of the speech server.
        slot_s: Seconds between the starts of two requests; none without a limit.
    """

    def __init__(
        self, video: Path, profile: Base, weights: dict[str, Path], url: str, slot_s: float | None
    ) -> None:
        self._video = video
        self._profile = profile
        self._weights = weights
        self._url = url
        self._slot_s = slot_s
        self._found = Findings()

    def run(self, folder: Path) -> Findings:
        """Do it all; `folder` takes the audio."""
        folder.mkdir(parents=True)
        with self._part("scenes"):
            starts_s, ends_s = self._scenes()
        with self._part("audio"):
            pieces = self._audio(folder, starts_s, ends_s)
        with self._part("speech"):
            self._found.transcripts = tuple(self._speech(pieces))
        with self._part("vad"):
            spans = self._voices(folder / "audio.wav")
        with self._part("sounds"):
            self._found.sounds = tuple(self._sounds(pieces, starts_s, spans))
        with self._part("objects"):
            self._found.objects = tuple(self._objects(ends_s))
        return self._found

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._found.parts_s[name] = time.perf_counter() - started

    def _scenes(self) -> tuple[list[float], list[float]]:
        """PySceneDetect over OpenCV, as it comes."""
        from scenedetect import ContentDetector, SceneManager, open_video

        manager = SceneManager()
        manager.add_detector(ContentDetector())
        manager.detect_scenes(open_video(str(self._video), backend="opencv"))
        scenes = manager.get_scene_list(start_in_scene=True)
        self._found.cuts_s = tuple(start.seconds for start, _ in scenes[1:])
        return [start.seconds for start, _ in scenes], [end.seconds for _, end in scenes]

    def _audio(self, folder: Path, starts_s: list[float], ends_s: list[float]) -> list[Path]:
        """One WAV file for each scene."""
        whole = folder / "audio.wav"
        audio.extract(self._video, whole)
        pieces = [folder / f"scene_{index:03d}.wav" for index in range(len(starts_s))]
        for piece, start_s, end_s in zip(pieces, starts_s, ends_s, strict=True):
            audio.cut(whole, start_s, end_s, piece)
        return pieces

    def _speech(self, pieces: list[Path]) -> Iterator[str]:
        """One request for each scene, each after the answer to the one before."""
        import openai

        speech = self._profile.speech
        client = openai.OpenAI(base_url=self._url, api_key="benchmark", max_retries=10)
        free_at = 0.0
        connected = False
        for piece in pieces:
            time.sleep(max(0.0, free_at - time.monotonic()))
            started = time.monotonic()
            with piece.open("rb") as file:
                answer = client.audio.transcriptions.create(
                    file=file,
                    model=speech.model,
                    language=speech.language or "en",
                    response_format="verbose_json",
                )
            answered = time.monotonic()
            if self._slot_s is not None:
                # The server counts arrivals: those of the first request, which has to connect, and
                # of one that was refused and sent again, are long after they were started.
                prompt = connected and answered - started < self._slot_s
                free_at = (started if prompt else answered) + self._slot_s + SLOT_SLACK_S
                connected = True
            yield " ".join(segment.text.strip() for segment in answer.segments or ())

    def _voices(self, wav: Path) -> list[tuple[int, int]]:
        """Samples of the whole audio between which there is a voice."""
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        vad = self._profile.vad
        options = VadOptions(
            threshold=vad.threshold,
            min_silence_duration_ms=round(vad.min_silence_s * 1000),
            speech_pad_ms=round(vad.pad_s * 1000),
        )
        found = get_speech_timestamps(audio.read(wav), options)
        return [(span["start"], span["end"]) for span in found]

    def _sounds(
        self, pieces: list[Path], starts_s: list[float], spans: list[tuple[int, int]]
    ) -> Iterator[SoundEvent]:
        """One scene at a time: its slice, to the model, wait for the labels."""
        score, labels = self._classifier()
        settings = self._profile.sounds
        for scene, (piece, start_s) in enumerate(zip(pieces, starts_s, strict=True)):
            samples = audio.read(piece)
            keep = np.ones(len(samples), dtype=bool)
            shift = start_s * audio.SAMPLE_RATE_HZ
            for first, last in spans:
                keep[max(0, round(first - shift)) : max(0, round(last - shift))] = False
            rest = samples[keep]
            size = int(WINDOW_S * audio.SAMPLE_RATE_HZ)
            windows = [rest[at : at + size] for at in range(0, len(rest), size)]
            windows = [w for w in windows if len(w) >= SHORTEST_S * audio.SAMPLE_RATE_HZ]
            if not windows:
                if len(rest) < len(samples):
                    share = 1 - len(rest) / len(samples)
                    yield SoundEvent(scene=scene, label="speech", score=share)
                continue
            mean = np.mean([score(window) for window in windows], axis=0)
            for index in np.argsort(-mean)[: settings.top_k]:
                if mean[index] >= settings.min_score:
                    label = labels[int(index)]
                    yield SoundEvent(scene=scene, label=label, score=float(mean[index]))

    def _classifier(self) -> tuple[Callable[[np.ndarray], np.ndarray], dict[int, str]]:
        import torch
        import transformers

        device = "cuda" if torch.cuda.is_available() else "cpu"
        path = str(self._weights["sounds"])
        extractor: Any = transformers.AutoFeatureExtractor.from_pretrained(
            path, trust_remote_code=False
        )
        model: Any = transformers.ASTForAudioClassification.from_pretrained(
            path, dtype=torch.float32, trust_remote_code=False
        )
        model = model.to(device).eval()

        def score(samples: np.ndarray) -> np.ndarray:
            features = extractor(samples, sampling_rate=audio.SAMPLE_RATE_HZ, return_tensors="pt")
            with torch.inference_mode():
                logits = model(features["input_values"].to(device)).logits[0]
                scores: np.ndarray = torch.sigmoid(logits).float().cpu().numpy()
            return scores

        return score, model.config.id2label

    def _objects(self, ends_s: list[float]) -> Iterator[Detection]:
        """Another pass over the video, one frame at a time through the model."""
        from kairos_lib.analyzers.objects import load

        settings = self._profile.objects
        model = load(str(self._weights["objects"]))
        due_s = 0.0
        for frame in VideoFile(self._video).frames():
            if frame.time_s < due_s:
                continue
            rate = settings.frames_per_second
            due_s = (math.floor(frame.time_s * rate) + 1) / rate
            (result,) = model.predict(
                frame.image(longest_px=settings.image_px, colour="bgr24"),
                imgsz=settings.image_px,
                conf=settings.min_score,
                verbose=False,
            )
            scene = next((n for n, end_s in enumerate(ends_s) if frame.time_s < end_s), 0)
            for box, score, label in zip(
                result.boxes.xyxyn.tolist(),
                result.boxes.conf.tolist(),
                result.boxes.cls.tolist(),
                strict=True,
            ):
                yield Detection(
                    scene=scene, time_s=frame.time_s, label=result.names[int(label)],
                    score=score, box=tuple(box),
                )  # fmt: skip
