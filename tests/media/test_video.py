from pathlib import Path

import numpy as np
import pytest
from helpers.clips import COLOURS, bad_files, write_clip

from kairos_lib.errors import KairosError
from kairos_lib.media.video import VideoFile, probe


def shown_at(frames: list[tuple[float, np.ndarray]], time_s: float) -> np.ndarray:
    """The reference: of all frames, the last one that had begun."""
    return [image for begun_s, image in frames if begun_s <= time_s + 1e-6][-1]


@pytest.mark.parametrize("options", [{"g": "10", "bf": "3"}, {"g": "250"}, {"g": "1"}])
def test_frames_drawn_by_time_are_those_of_a_whole_pass(
    tmp_path: Path, options: dict[str, str]
) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS, options=options)
    whole = [(f.time_s, f.image()) for f in VideoFile(path).frames()]
    # Near and far, backwards never: some gaps are worth a seek, some are not.
    wanted = [0.0, 0.05, 0.1, 0.1, 4.0, 4.17, 9.95, 11.3, 11.9, 50.0]
    for time_s, frame in VideoFile(path).at(wanted):
        assert np.array_equal(frame.image(), shown_at(whole, time_s))


def test_time_zero_is_the_first_frame_whenever_the_file_says_it_starts(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:2], start_pts=37)
    times = [frame.time_s for frame in VideoFile(path).frames()]
    assert times[:3] == pytest.approx([0, 0.1, 0.2])
    assert len(times) == 20


def test_an_image_is_scaled_to_its_longer_side_and_never_enlarged(tmp_path: Path) -> None:
    wide = write_clip(tmp_path / "wide.mp4", COLOURS[:1], size=(160, 90))
    tall = write_clip(tmp_path / "tall.mp4", COLOURS[:1], size=(90, 160))
    frame = next(VideoFile(wide).frames())
    assert frame.image(longest_px=80).shape == (45, 80, 3)
    assert frame.image(longest_px=1000).shape == (90, 160, 3)
    assert next(VideoFile(tall).frames()).image(longest_px=80).shape == (80, 45, 3)


def test_colours_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [(200, 30, 30)])
    frame = next(VideoFile(path).frames())
    red_first, red_last = frame.image()[80, 80], frame.image(colour="bgr24")[80, 80]
    assert red_first[0] > 150 > red_first[2]
    assert list(red_last) == list(red_first[::-1])


def test_a_probe_tells_what_a_video_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:3])
    facts = probe(path, "abc")
    assert (facts.width, facts.height, facts.codec, facts.audio_streams) == (160, 90, "h264", 1)
    assert facts.duration_s == pytest.approx(3.0)
    assert facts.frames_per_second == 10


def test_broken_packets_do_not_end_a_film(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS, tone=False)
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 3, len(data) // 3 + 400, 7):
        data[place] ^= 0xFF
    path.write_bytes(data)
    times = [frame.time_s for frame in VideoFile(path).frames()]
    assert times[-1] > 10
    assert times == sorted(times)


def test_what_is_no_video_is_told_in_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    for expected, path in bad_files(tmp_path).items():
        with pytest.raises(KairosError) as error:
            probe(path, "")
        assert expected in str(error.value)
        assert path.name in str(error.value)
        assert "\n" not in str(error.value)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        samples = np.zeros((1, 16000), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(KairosError, match="has no video stream"):
        probe(path, "")


def test_a_name_is_never_read_as_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4", COLOURS[:1])
    with pytest.raises(KairosError, match="there is no video"):
        probe(Path("concat:a.mp4"), "")
    odd = write_clip(tmp_path / 'it\'s 100% "odd": {x}\n.mp4', COLOURS[:1])
    assert probe(odd, "").duration_s == pytest.approx(1.0)
