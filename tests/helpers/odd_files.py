"""The odd media files that tests work through: damaged ones, odd ones, ones with odd names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from helpers import odd_streams
from helpers.films import Film, Sound, tone
from helpers.odd_media import (
    PLAIN,
    SILENT,
    Odd,
    cut,
    data_of,
    edited,
    film,
    garbled,
    head,
    joined,
    moved,
    packets,
    still,
    wrapped,
)

BACK = {"movflags": "0"}
"""The index at the end of the file, as cameras write it."""
LONG = b"\x7f\xff\xff\xff"
PIECES = {"movflags": "frag_keyframe+empty_moov"}
DISC = Film(codec="mpeg2video", fps=25, frames=50)
B_FRAMES = {"bf": "3", "g": "10", "preset": "veryfast"}


def with_cover(path: Path) -> None:
    """A cover picture as the first stream, the film after it."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        _two_streams(container, cover)


def with_second_film(path: Path) -> None:
    """Two films in one file; the second one is the default."""
    with av.open(str(path), "w") as container:
        other = container.add_stream("mpeg4", rate=10)
        other.width, other.height, other.pix_fmt = 32, 32, "yuv420p"
        _two_streams(container, other, default=True)


def _two_streams(container, first, default: bool = False) -> None:
    stream = SILENT.stream(container)
    if default:
        stream.disposition = av.stream.Disposition.default
    small = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    small.pts, small.time_base = 0, Fraction(1, 10)
    container.mux(first.encode(small))
    container.mux(first.encode(None))
    SILENT.encode(container, stream)


def song_with_cover(path: Path) -> None:
    """The only picture is the cover."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("mp3", rate=44_100)
        track.layout = "mono"
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        small = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        small.pts, small.time_base = 0, Fraction(1, 1)
        container.mux(cover.encode(small))
        container.mux(cover.encode(None))
        for frame in tone(Sound(rate_hz=44_100)):
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def only_sound(path: Path) -> None:
    """No picture at all."""
    codec = {".mp3": "mp3", ".wav": "pcm_s16le"}.get(path.suffix, "aac")
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=16_000)
        track.layout = "mono"
        for frame in tone(Sound()):
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def with_silent_track(path: Path) -> None:
    """A sound stream without a single packet."""
    with av.open(str(path), "w") as container:
        stream = SILENT.stream(container)
        track = container.add_stream("pcm_s16le", rate=16_000)
        track.layout = "mono"
        SILENT.encode(container, stream)


def with_subtitles(path: Path) -> None:
    """Subtitles as the first stream, which are neither seen nor heard."""
    text = path.parent.parent / "good" / "words.srt"
    text.parent.mkdir(exist_ok=True)
    text.write_text("1\n00:00:00,000 --> 00:00:01,500\nhello\n")
    with av.open(str(text)) as given, av.open(str(path), "w") as container:
        words = container.add_stream_from_template(given.streams.subtitles[0])
        stream = SILENT.stream(container)
        for packet in given.demux():
            if packet.size:
                packet.stream = words
                container.mux(packet)
        SILENT.encode(container, stream)


def with_attachment(path: Path) -> None:
    """A font, as subtitled films carry them."""
    with av.open(str(path), "w") as container:
        stream = SILENT.stream(container)
        container.add_attachment("font.ttf", "application/x-truetype-font", b"font" * 100)
        SILENT.encode(container, stream)


def huge_raw(path: Path) -> None:
    """A header that promises frames of a hundred million pixels."""
    data = data_of(path, Film(frames=2, codec="rawvideo", options={}), ".avi")
    format_at = data.index(b"strf") + 8
    huge = (12_000).to_bytes(4, "little")
    path.write_bytes(data[: format_at + 4] + huge + huge + data[format_at + 12 :])


def without_pictures_data(path: Path) -> None:
    """An index that leads to zeros."""
    data = data_of(path)
    at = data.index(b"mdat") + 4
    path.write_bytes(data[:at] + bytes(len(data) - at))


def first_dropped(packet: av.Packet, number: int) -> av.Packet | None:
    """The key frame that everything rests on is gone."""
    return packet if number else None


def all_at_once(packet: av.Packet, number: int) -> av.Packet:
    """All pictures have the same stamp."""
    packet.pts = packet.dts = 0
    return packet


def in_pairs(packet: av.Packet, number: int) -> av.Packet:
    """Every stamp comes twice."""
    packet.pts = packet.dts = number // 2 * 200
    return packet


UNREAD = "not a video that can be read"
NO_FRAME = "has no frame that can be decoded"
CUT_OFF = [
    Odd("cut-2-percent.mp4", cut(0.02), refused="or its head is damaged"),
    Odd("cut-half.mp4", cut(0.5), frames=(2, 17), seconds=None, scenes=None, sound_s=0.75),
    Odd("cut-last-bytes.mp4", cut(0.97), frames=(16, 20), seconds=None, sound_s=2.0),
    Odd("cut-index-lost.mp4", cut(0.9, Film(container_options=BACK)), refused=UNREAD),
    Odd("cut-half.mkv", cut(0.5, SILENT, ".mkv"), frames=(4, 17), seconds=None, scenes=None),
    Odd("cut-half.ts", cut(0.5, SILENT, ".ts"), frames=(4, 17), seconds=None, scenes=None),
    Odd("cut-short.avi", cut(0.8, SILENT, ".avi"), frames=(4, 17), seconds=None, scenes=None),
    Odd("cut-half.webm", cut(0.5, Film(codec="libvpx-vp9"), ".webm"),
        frames=(4, 17), seconds=None, scenes=None),
    Odd("cut-half.h264", cut(0.5, SILENT, ".h264"), frames=(4, 17), seconds=None, scenes=None),
    Odd("cut-pieces.mp4", cut(0.6, Film(options={"g": "5"}, container_options=PIECES)),
        frames=(5, 19), seconds=None, scenes=None),
    Odd("only-head.mp4", head(b"mdat"), refused=NO_FRAME),
    Odd("only-head.mkv", head(b"\x1f\x43\xb6\x75", ".mkv", SILENT), refused=NO_FRAME),
    Odd("only-head.avi", head(b"movi", ".avi", SILENT), refused=NO_FRAME),
]  # fmt: skip
DAMAGED = [
    Odd("garbled-group.mp4", garbled(range(10, 20)), frames=(10, 20), seconds=None, scenes=None),
    Odd("garbled-first-group.mp4", garbled(range(10)), frames=(10, 20), seconds=None, scenes=None),
    Odd("garbled-all.mp4", garbled(range(20)), refused=NO_FRAME),
    Odd("garbled-here-and-there.mp4", garbled(range(3, 18, 5), 0.5), frames=(15, 20),
        scenes=None),
    Odd("zeros.mp4", without_pictures_data, refused=NO_FRAME),
    Odd("no-first-key.mkv", packets(first_dropped), frames=(10, 19), seconds=None, scenes=None),
    Odd("unknown-codec.mp4", edited((b"avc1", 0, b"zzzz"), (b"avcC", 0, b"free")),
        refused="is in a video codec that is not known here"),
    Odd("wrong-codec.mp4", edited((b"avc1", 0, b"mp4v")), refused=NO_FRAME),
    Odd("no-length.mp4", edited((b"mvhd", 16, bytes(4)), (b"mdhd", 20, bytes(4))), sound_s=2.0),
    Odd("endless.mp4", edited((b"mvhd", 20, LONG), (b"mdhd", 20, LONG)),
        sound_s=2.0),
    Odd("huge-by-index.mp4", edited((b"avc1" + bytes(7), 28, b"\xff" * 4),
        (b"tkhd", 80, b"\xff\xff\0\0" * 2)), sound_s=2.0),
    Odd("huge.avi", huge_raw, refused="a frame may have 8192×8192 pixels at most"),
    Odd("garbage-after.mp4", wrapped(after=b"\x9a\x01" * 5000), sound_s=2.0),
    Odd("garbage-before.ts", wrapped(b"\x12\x34" * 700, made=SILENT, suffix=".ts")),
    Odd("film-after-film.mp4", wrapped(after=b"\0\0\0\x08free" * 9), sound_s=2.0),
]  # fmt: skip
STAMPS = [
    Odd("pause.mkv", moved(10, 3600_000), frames=(20, 20), seconds=3602.0),
    Odd("back.mkv", moved(10, -5000), frames=(20, 20)),
    Odd("one-far-off.mkv", moved(7, 36_000_000, 7), frames=(20, 20)),
    Odd("a-little-back.mkv", moved(10, -300), frames=(17, 17), seconds=1.7),
    Odd("twice-each.mkv", packets(in_pairs), frames=(10, 10)),
    Odd("all-at-once.mkv", packets(all_at_once), frames=(1, 1), seconds=0.1, scenes=1),
    Odd("late-start.mkv", moved(0, 7_000_000)),
    # The second begins where the first has ended, its sound included.
    Odd("two-recordings.ts", joined(PLAIN, PLAIN), frames=(40, 40), seconds=4.112, scenes=4,
        sound_s=4.16),
    Odd("two-recordings.mpg", joined(DISC, DISC, suffix=".mpg"), frames=(98, 100), seconds=4.0,
        scenes=None),
    Odd("uneven.mkv", film(ticks=[n * n * 5 for n in range(20)]), frames=(20, 20), seconds=1.995,
        scenes=None),
]  # fmt: skip
KINDS = [
    Odd("raw.h264", film(options=B_FRAMES)),
    Odd("raw.hevc", film(codec="libx265")),
    Odd("raw.ivf", film(codec="libvpx-vp9")),
    Odd("raw.m2v", film(codec="mpeg2video", fps=25, container="mpeg2video"), seconds=0.8,
        scenes=None),
    Odd("b-frames.avi", film(options=B_FRAMES)),
    Odd("old.avi", film(codec="mpeg4", sounds=[Sound(codec="mp3")]), seconds=2.1, sound_s=2.1),
    Odd("flash.flv", film(sounds=[Sound(rate_hz=44_100)]), sound_s=2.0),
    Odd("broadcast.ts", film(options=B_FRAMES, sounds=[Sound(codec="mp2")]), sound_s=2.0),
    Odd("web.webm", film(codec="libvpx-vp9", sounds=[Sound(codec="libopus", rate_hz=48_000)]),
        sound_s=2.0),
    Odd("av1.mp4", film(codec="libsvtav1", options={})),
    Odd("moves.gif", film(codec="gif", pixels="bgr8", options={})),
    Odd("moves.png", film(codec="apng", pixels="rgb24", container="apng", options={})),
    Odd("index-at-end.mp4", film(container_options=BACK, sounds=[Sound()]), sound_s=2.0),
    # Where its encoder wants to begin before the pictures, a muxer moves these.
    Odd("in-pieces.mp4", film(container_options=PIECES, sounds=[Sound()]), seconds=2.064,
        sound_s=2.1),
    Odd("one-frame.mp4", film(frames=1), frames=(1, 1), seconds=0.1, scenes=1),
    Odd("one-frame.ts", film(frames=1), frames=(1, 1), seconds=0.04, scenes=1),
    Odd("one-frame.gif", film(frames=1, codec="gif", pixels="bgr8", options={}), frames=(1, 1),
        seconds=0.1, scenes=1),
    Odd("8k.mp4", film(frames=1, size=(7680, 4320)), frames=(1, 1), seconds=0.1, scenes=1,
        size=(7680, 4320)),
    Odd("tiny.mkv", film(codec="ffv1", size=(2, 2), options={}), size=(2, 2), scenes=2),
    Odd("odd.mkv", film(pixels="yuv444p", size=(95, 63)), size=(95, 63)),
    Odd("grows.ts", joined(SILENT, Film(size=(128, 96))), frames=(40, 40), seconds=4.0,
        scenes=4),
]  # fmt: skip
TRACKS = [
    Odd("only-pictures.mp4", film()),
    Odd("only-sound.mp4", only_sound, refused="has no video stream: name a file"),
    Odd("only-sound.mp3", only_sound, refused="has no video stream: name a file"),
    Odd("only-sound.wav", only_sound, refused="has no video stream: name a file"),
    Odd("cover.mp3", song_with_cover, refused="has no video stream (but a cover picture)"),
    Odd("silent-track.mkv", with_silent_track),
    Odd("cover-first.mp4", with_cover),
    Odd("two-films.mkv", with_second_film),
    Odd("subtitles.mkv", with_subtitles),
    Odd("attachment.mkv", with_attachment),
    Odd("two-languages.mkv", film(sounds=[Sound(hz=300, language="eng"),
        Sound(hz=600, language="deu", default=True)]), sound_s=2.0, hertz=600),
    Odd("long-sound.mp4", film(sounds=[Sound(seconds=4)]), seconds=4.0, sound_s=4.0,
        told="its pictures end at 2.0 s and its sound at 4."),
    Odd("short-sound.mp4", film(sounds=[Sound(seconds=0.5)]), sound_s=0.5),
    Odd("late-sound.mkv", film(sounds=[Sound(start_s=1, seconds=1)]), sound_s=2.0),
    # The last picture stands as long as there is sound.
    Odd("sound-after-the-end.mkv", film(sounds=[Sound(start_s=30, seconds=1)]), seconds=31.02,
        sound_s=31.02),
    Odd("8-khz.mkv", film(sounds=[Sound(rate_hz=8000)]), sound_s=2.0),
    Odd("96-khz.mkv", film(sounds=[Sound(rate_hz=96_000, codec="flac")]), sound_s=2.0),
    Odd("surround.mkv", film(sounds=[Sound(rate_hz=48_000, layout="5.1")]), sound_s=2.0),
    Odd("rate-changes.ts", joined(PLAIN, Film(sounds=[Sound(rate_hz=48_000, layout="stereo")])),
        frames=(40, 40), seconds=4.069, scenes=4, sound_s=4.0),
]  # fmt: skip
APART = [
    Odd("wrong-offset.mp4", odd_streams.wrong_offset, frames=(40, 40), seconds=4.0, scenes=4,
        sound_s=4.0, told="places that cannot be read: "),
    Odd("nine-channels.mkv", lambda p: odd_streams.channels(p, [1.0, *[0.0] * 8]), sound_s=2.0),
    Odd("antiphase.mkv", lambda p: odd_streams.channels(p, [1.0, -1.0], "stereo"), sound_s=2.0),
    Odd("camera-stops.mp4", odd_streams.camera_stops, seconds=8.0, sound_s=8.0,
        told="its pictures end at 2.0 s and its sound at 8.0 s"),
    Odd("stills.ts", odd_streams.stills, frames=(3, 3), seconds=60.0, scenes=None, sound_s=60.0),
    Odd("leap.mkv", odd_streams.leap, seconds=2.0, sound_s=2.0,
        told="jumps in its time stamps: 1 (joined there, 2"),
]  # fmt: skip
PICTURES = [
    Odd(f"still.{suffix}", still(kind), refused="is a picture, not a video")
    for suffix, kind in {
        "png": "PNG",
        "jpg": "JPEG",
        "bmp": "BMP",
        "webp": "WEBP",
        "avif": "AVIF",
    }.items()
]
NAMES = [
    Odd(name, film(container="mp4"))
    for name in (
        "no-suffix",
        "wrong-suffix.txt",
        "wrong-suffix.wav",
        "wrong-suffix.png",
        "-leads with a dash.mp4",
        "two\nlines.mp4",
        'it\'s "quoted" `here`.mp4',
        "100%s {x} $HOME #1?.mp4",
        "Überblick 日本語 🎬.mp4",
        " spaces around .mp4",
        "concat:a|b.mp4",
    )
] + [Odd("not a\nvideo 🎬 %s.mp4", lambda p: p.write_bytes(b"no " * 999), refused=UNREAD)]
ALL = [*CUT_OFF, *DAMAGED, *STAMPS, *KINDS, *TRACKS, *APART, *PICTURES, *NAMES]
