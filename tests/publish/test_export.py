"""What `kairos export` writes, read back by other programs' parsers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from helpers.suites import SuiteMaker

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.errors import KairosError
from kairos_lib.pipeline.records import StageReport
from kairos_lib.publish.export import LeftOut, Wanted, Written, export
from kairos_lib.results import suite
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption

HOSTILE = "<script>alert(1)</script> & so on\n\n7\n00:00:01,000 --> 00:00:02,000\nnot a cue"
BOX = (0.25, 0.5, 0.75, 1.0)


def exported(
    maker: SuiteMaker, *formats: str, **wanted: object
) -> tuple[dict[str, Written], dict[str, str]]:
    """The files by their names, and what was left out with its reason."""
    data = suite.read(maker.write(), "demo")
    found = list(export(data, Wanted(formats, **wanted), maker.project.root / "out"))  # type: ignore[arg-type]
    written = {one.path.name: one for one in found if isinstance(one, Written)}
    assert sorted(path.name for path in (maker.project.root / "out").iterdir()) == sorted(written)
    return written, {one.what: one.why for one in found if isinstance(one, LeftOut)}


def parsed(path: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of each cue, as FFmpeg reads them."""
    cues = []
    with av.open(str(path)) as container:
        (stream,) = container.streams
        for packet in container.demux(stream):
            for subtitle in stream.codec_context.decode2(packet) if packet.size else ():  # type: ignore[attr-defined]
                text = subtitle.dialogue.decode()
                assert packet.pts is not None and packet.duration is not None
                start_ms, end_ms = packet.pts, packet.pts + packet.duration
                cues.append((start_ms / 1000, end_ms / 1000, text))
    return cues


def findings(folder: Path, *segments: Segment, detections: tuple[Detection, ...] = ()) -> None:
    """What stages found, as they would have written it."""
    Journal(folder / "speech.jsonl", Segment).write_all(iter(segments))
    Journal(folder / "objects.jsonl", Detection).write_all(iter(detections))


def detection(scene: int, time_s: float, label: str = "ball", **more: object) -> Detection:
    return Detection(scene=scene, time_s=time_s, label=label, score=0.5, box=BOX, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_each_scene_is_a_cue_from_its_start_to_its_end(maker: SuiteMaker, ending: str) -> None:
    maker.base(scenes=3, scene_s=12.3456)
    maker.done(captions=["One.", "Two.", "Three."])
    written, left_out = exported(maker, ending)
    assert parsed(written[f"match.small.{ending}"].path) == [
        (0.0, 12.346, "One."),
        (12.346, 24.691, "Two."),
        (24.691, 37.037, "Three."),
    ]
    assert not left_out


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_no_caption_can_end_its_cue_or_begin_another(maker: SuiteMaker, ending: str) -> None:
    maker.base(scenes=2)
    maker.done(captions=[HOSTILE, f"WEBVTT {HOSTILE}\u2028\x00\r\r1"])
    written, _ = exported(maker, ending)
    path = written[f"match.small.{ending}"].path
    cues = parsed(path)
    assert [cue[:2] for cue in cues] == [(0.0, 10.0), (10.0, 20.0)]
    assert all("not a cue" in text for _, _, text in cues)
    assert path.read_text().count("-->") == 2
    if ending == "vtt":
        # Escaped, nothing is lost.
        assert "".join(cues[0][2].split()) == "".join(HOSTILE.split())
    else:
        assert "<script" not in path.read_text()


def test_long_captions_are_broken_into_lines(maker: SuiteMaker) -> None:
    maker.base(scenes=1)
    words = "A red circle moves from the left to the right over a field of green. " * 5
    maker.done(captions=[words])
    written, _ = exported(maker, "srt")
    (cue,) = parsed(written["match.small.srt"].path)
    assert max(map(len, cue[2].splitlines())) <= 42
    assert cue[2].split() == words.split()


def test_braces_are_shown_by_players_that_take_them_for_styles(maker: SuiteMaker) -> None:
    maker.base(scenes=1)
    maker.done(captions=[r"{\an8}a {b} c"])
    written, _ = exported(maker, "srt")
    assert parsed(written["match.small.srt"].path)[0][2] == r"(\an8)a (b) c"


def test_scenes_without_a_caption_have_no_cue_and_are_counted(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    lost = Caption(scene=1, text="", error="out of memory at batch size 1")
    maker.done(captions=["One.", lost, Caption(scene=2, text="It goes on", truncated=True)])
    written, _ = exported(maker, "vtt")
    file = written["match.small.vtt"]
    assert [text for _, _, text in parsed(file.path)] == ["One.", "It goes on […]"]
    assert file.holds == "2 captions of 3 scenes"


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_captions_that_mean_nothing_say_so_in_the_first_cue(maker: SuiteMaker, ending: str) -> None:
    maker.base(scenes=2)
    maker.done(weights_source="dummy", captions=["q r s.", "t u v."])
    written, _ = exported(maker, ending)
    file = written[f"match.small.{ending}"]
    first, second = (" ".join(text.split()) for _, _, text in parsed(file.path))
    assert first == "[dummy weights: captions are noise] q r s."
    assert second == "t u v."
    assert "dummy weights" in file.holds


def test_a_comment_in_webvtt_says_whose_captions_they_are(maker: SuiteMaker) -> None:
    maker.base(title="A --> B")
    maker.done(parts=2)
    written, _ = exported(maker, "vtt")
    head = written["match.small.vtt"].path.read_text().split("\n\n")[:2]
    assert head[0] == "WEBVTT"
    assert head[1].splitlines() == [
        "NOTE", "Captions of A -> B by Small, one for each", "scene.", "resumed",
    ]  # fmt: skip


def test_speech_is_a_track_of_its_own_where_it_is_asked_for(maker: SuiteMaker) -> None:
    folder = maker.base(scenes=2)
    late, early = (
        Segment(scene=1, start_s=9.5, end_s=12.0, text="And goal!"),
        Segment(scene=0, start_s=1.25, end_s=3.5, text="Here they come."),
    )
    findings(folder, late, early)
    maker.done()
    assert list(exported(maker, "srt")[0]) == ["match.small.srt"]
    written, _ = exported(maker, "srt", transcript=True)
    assert parsed(written["match.transcript.srt"].path) == [
        (1.25, 3.5, "Here they come."),
        (9.5, 12.0, "And goal!"),
    ]


def test_runs_without_a_result_are_told_and_left_out(maker: SuiteMaker) -> None:
    stages = [StageReport(name="objects", state="skipped", reason="no weights for it")]
    maker.base(stages=stages)
    maker.done(model="a", title="Good")
    maker.failed(model="b", title="Bad", captions=["Only one."])
    maker.plan(model="c", title="Never", problem="its weights are not here")
    (maker.done(model="d", title="Spoilt") / "fused.jsonl").write_text("{}\n")
    written, left_out = exported(maker, "srt", "coco", "json", transcript=True)
    assert sorted(written) == ["match.a.srt", "match.kairos.json"]
    assert left_out["Bad on Match"] == "out of memory: out of memory at batch size 1"
    assert left_out["Never on Match"] == "not run: its weights are not here"
    assert "fused.jsonl, line 1: not a valid FusedScene" in left_out["Spoilt on Match"]
    assert left_out["objects in Match"] == "objects skipped: no weights for it"
    assert left_out["speech of Match"] == "its base profile has no stage speech"


def test_models_and_videos_can_be_chosen(maker: SuiteMaker) -> None:
    for video in ("one", "two"):
        maker.base(video)
        for model in ("a", "b-x", "b-y"):
            maker.done(model, video=video)
    written, _ = exported(maker, "srt", models=("b-*",), videos=("two",))
    assert sorted(written) == ["two.b-x.srt", "two.b-y.srt"]


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (Wanted(()), "FORMAT is not given: name one of srt, vtt, coco, json"),
        (Wanted(("str",)), "unknown format 'str': did you mean 'srt'?"),
        (Wanted(("srt",), models=("smal",)), "unknown model of this suite 'smal': did you mean"),
        (Wanted(("srt",), videos=("x",)), "unknown video of this suite 'x': known: match"),
        (Wanted(("coco",), models=("small",)), "not a MODEL: leave MODEL out"),
        (Wanted(("json",), transcript=True), "TRANSCRIPT goes with FORMAT=srt or vtt"),
    ],
)
def test_what_cannot_be_exported_is_one_line(maker: SuiteMaker, wanted: Wanted, line: str) -> None:
    maker.base()
    maker.done()
    with pytest.raises(KairosError, match=line.replace("?", r"\?")):
        export(suite.read(maker.write(), "demo"), wanted, maker.project.root / "out")
    assert not (maker.project.root / "out").exists()


def test_boxes_are_in_pixels_of_the_frame_as_it_is_shown(maker: SuiteMaker) -> None:
    folder = maker.base(scenes=2)
    result = json.loads((folder / "result.json").read_text())
    # Stored lying on its side, with pixels twice as wide as they are high.
    result["facts"] |= {"width": 200, "height": 100, "rotation_deg": 90, "sample_aspect_ratio": 2.0}
    (folder / "result.json").write_text(json.dumps(result))
    beyond = Detection(scene=1, time_s=12.5, label="person", score=0.9, box=(-0.1, 0.9, 0.5, 1.2))
    seen = (detection(0, 0.0, track_id=7), detection(0, 0.0, "person"), beyond)
    findings(folder, detections=seen)
    maker.done()
    written, _ = exported(maker, "coco")
    coco = json.loads(written["match.coco.json"].path.read_text())
    assert [image["time_s"] for image in coco["images"]] == [0.0, 12.5]
    assert {(image["width"], image["height"]) for image in coco["images"]} == {(100, 400)}
    assert [annotation["bbox"] for annotation in coco["annotations"]] == [
        [25.0, 200.0, 50.0, 200.0],
        [25.0, 200.0, 50.0, 200.0],
        [0.0, 360.0, 50.0, 40.0],
    ]
    assert written["match.coco.json"].holds == "3 boxes in 2 frames"


def test_detections_hold_to_the_definition_of_coco(maker: SuiteMaker) -> None:
    """https://cocodataset.org/#format-data, by hand."""
    for video, label in (("one", "zebra"), ("two", "ant")):
        folder = maker.base(video, title=video)
        findings(folder, detections=tuple(detection(i, i * 10.0, label) for i in range(3)))
    written, _ = exported(maker, "coco")
    files = [json.loads(file.path.read_text()) for file in written.values()]
    for coco in files:
        images = {image["id"]: image for image in coco["images"]}
        names = {category["id"]: category["name"] for category in coco["categories"]}
        assert len(images) == len(coco["images"]) == 3
        assert len({annotation["id"] for annotation in coco["annotations"]}) == 3
        assert len({image["file_name"] for image in coco["images"]}) == 3
        for annotation in coco["annotations"]:
            left, top, width, height = annotation["bbox"]
            image = images[annotation["image_id"]]
            assert 0 <= left <= left + width <= image["width"]
            assert 0 <= top <= top + height <= image["height"]
            assert annotation["area"] == pytest.approx(width * height)
            assert annotation["iscrowd"] == 0
            assert 0 <= annotation["score"] <= 1
            assert annotation["category_id"] in names
        assert all(isinstance(number, int) for number in [*images, *names])
    # A category has the same number in all files.
    assert files[0]["categories"] == files[1]["categories"]


def test_one_file_tells_all_that_is_known_of_a_video(maker: SuiteMaker) -> None:
    folder = maker.base(scenes=2)
    findings(
        folder,
        Segment(scene=0, start_s=1.0, end_s=2.0, text=HOSTILE),
        detections=(detection(1, 12.0),),
    )
    sound = SoundEvent(scene=1, label="applause", score=0.7)
    Journal(folder / "sounds.jsonl", SoundEvent).write_all(iter([sound]))
    maker.done(model="a", captions=["A0.", "A1."], parts=2)
    maker.done(model="b", captions=["B0.", "B1."], weights_source="nano")
    written, _ = exported(maker, "json")
    whole = json.loads(written["match.kairos.json"].path.read_text())
    assert whole["video"]["result"]["facts"]["duration_s"] == 20.0
    assert {model["model"]: model["badges"] for model in whole["models"]} == {
        "a": ["resumed"],
        "b": ["nano model outside its world: captions mean nothing"],
    }
    assert whole["models"][0]["result"]["offline"]["time_s"] == 15.0
    first, second = whole["scenes"]
    assert first["transcript"] == HOSTILE
    assert [said["caption"]["text"] for said in first["captions"]] == ["A0.", "B0."]
    assert [said["badges"] for said in second["captions"]] == [[], whole["models"][1]["badges"]]
    assert second["sounds"][0]["label"] == "applause"
    assert second["objects"][0] | {"best": None} == {
        "label": "ball", "count": 1, "tracks": 0, "best": None,
    }  # fmt: skip


def test_names_are_not_taken_for_one_another(maker: SuiteMaker) -> None:
    maker.base("match")
    runs = [maker.done(model, captions=[f"By {model}."] * 3) for model in "abc"]
    names = ["transcript", "TRANSCRIPT", "Transcript"]
    maker.runs = [
        run.model_copy(update={"model": name}) for run, name in zip(maker.runs, names, strict=True)
    ]
    assert len(runs) == 3
    written, _ = exported(maker, "srt")
    assert len(written) == 3
    said = {parsed(file.path)[0][2] for file in written.values()}
    assert said == {"By a.", "By b.", "By c."}


def test_a_name_that_leads_elsewhere_is_refused(maker: SuiteMaker) -> None:
    maker.base("match")
    maker.done("a", captions=["By a."] * 3)
    maker.runs = [run.model_copy(update={"model": "../../evil"}) for run in maker.runs]
    with pytest.raises(KairosError, match="which cannot be a name"):
        exported(maker, "srt")
    assert not (maker.project.root.parent / "evil.srt").exists()


def test_a_link_in_the_folder_is_replaced_and_not_followed(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    (maker.project.root / "out").mkdir()
    mine = maker.project.root / "mine.txt"
    mine.write_text("mine")
    (maker.project.root / "out" / "match.small.srt").symlink_to(mine)
    exported(maker, "srt")
    assert mine.read_text() == "mine"


def kairos(maker: SuiteMaker, *arguments: str, **choices: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", "export", *arguments],
        env={**os.environ, "KAIROS_ROOT": str(maker.project.root), **choices},
        cwd=maker.project.root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_command_says_what_it_wrote_and_what_it_left_out(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    maker.failed()
    maker.write()
    answer = kairos(
        maker, KAIROS_FORMAT="srt, vtt", KAIROS_OUT="out/deep", KAIROS_SUITE="", KAIROS_MODEL=""
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        "out/deep/match.small.srt: 3 captions",
        "out/deep/match.small.vtt: 3 captions",
    ]
    left = "left out: Large on Match: out of memory: out of memory at batch size 1"
    assert answer.stderr.splitlines() == [left, left]


def test_the_command_ends_with_1_where_there_was_nothing_to_write(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed()
    maker.write()
    answer = kairos(maker, "--format", "srt", "--out", "out")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("kairos: nothing was written to out")
    (maker.project.root / "file").touch()
    answer = kairos(maker, "--format", "srt", "--out", "file")
    assert answer.returncode == 2
    assert answer.stderr == "kairos: OUT=file cannot be a folder (File exists): name another\n"
