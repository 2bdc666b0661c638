"""Writes frames and sound into an mp4 file. Knows nothing of what they show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kairos_lib.nano.world import FPS, HEIGHT_PX, WIDTH_PX
from workshop.nano.render import Frame
from workshop.nano.sound import SAMPLE_RATE_HZ, Wave

if TYPE_CHECKING:
    import av

# Flat shapes are cheap: at this quality a minute of picture takes about half a megabyte.
_CRF = 24
_AUDIO_BITS_PER_S = 48_000
_AUDIO_FRAME = 1024


@dataclass(frozen=True)
class Format:
    """Of what size the frames are, how many there are a second, and what sound may take."""

    width_px: int = WIDTH_PX
    height_px: int = HEIGHT_PX
    frames_per_second: Fraction = Fraction(FPS)
    audio_bits_per_s: int = _AUDIO_BITS_PER_S


USUAL = Format()


def write_mp4(path: Path, frames: Iterable[Frame], wave: Wave, form: Format = USUAL) -> None:
    """Encode a clip as H.264 and AAC.

    Args:
        path: The file to write.
        frames: RGB frames.
        wave: Mono samples at 32 kHz, as long as the frames.
        form: Of the frames.
    """
    import av

    fps = form.frames_per_second

    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = form.width_px, form.height_px, "yuv420p"
        # One thread, for the number of threads decides the bits, and the same seed shall give
        # the same file on every machine.
        video.options = {"crf": str(_CRF), "preset": "medium", "threads": "1", "g": "125"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        audio.bit_rate = form.audio_bits_per_s
        sent = 0
        for index, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = index, 1 / fps
            container.mux(video.encode(picture))
            # Sound goes in beside its pictures, so that both can be read in one pass.
            while sent + _AUDIO_FRAME <= min(len(wave), (index + 1) * SAMPLE_RATE_HZ // fps):
                container.mux(audio.encode(_sound_frame(wave, sent, _AUDIO_FRAME)))
                sent += _AUDIO_FRAME
        if sent < len(wave):
            container.mux(audio.encode(_sound_frame(wave, sent, len(wave) - sent)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def through_aac(wave: Wave, rate_hz: int) -> Wave:
    """What is left of a sound that a clip was written with.

    Args:
        wave: Mono samples at 32 kHz.
        rate_hz: Of the samples to give back, in 16 bits as base processing reads them.

    Returns:
        As long a stretch as was given, mono.
    """
    import av

    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        audio.bit_rate = _AUDIO_BITS_PER_S
        for start in range(0, len(wave), _AUDIO_FRAME):
            count = min(_AUDIO_FRAME, len(wave) - start)
            container.mux(audio.encode(_sound_frame(wave, start, count)))
        container.mux(audio.encode(None))
    file.seek(0)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
    with av.open(file, "r") as coded:
        pieces = [
            piece.to_ndarray().reshape(-1)
            for frame in (*coded.decode(audio=0), None)
            for piece in resampler.resample(frame)
        ]
    heard = np.concatenate(pieces).astype(np.float32) / 32768
    length = len(wave) * rate_hz // SAMPLE_RATE_HZ
    return np.pad(heard[:length], (0, max(length - len(heard), 0)))


def _sound_frame(wave: Wave, start: int, count: int) -> av.AudioFrame:
    import av

    samples = np.ascontiguousarray(wave[start : start + count], dtype=np.float32)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
    frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
    return frame
