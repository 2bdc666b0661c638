"""`base_data.json`: all of one video's base processing in a single file, for other tools.

The file of a five-hour video takes hundreds of megabytes: it is written scene by scene, and read
scene by scene with `ijson`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from kairos_lib.analyzers.objects import Detection, SeenObject
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import SceneFindings, VideoFindings
from kairos_lib.runs.files import replacing
from kairos_lib.runs.record import Record

BASE_DATA = "base_data.json"


class SceneData(Record):
    """One scene, with a field for each analyzer.

    The fields of `speech`, `sounds` and `objects` are called `asr`, `ast` and `yolo`, the usual
    names in such files.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    scene: Scene
    asr: Speech
    ast: tuple[SoundEvent, ...]
    yolo: Objects


class Speech(Record):
    """Transcript."""

    text: str
    segments: tuple[Segment, ...]


class Objects(Record):
    """Detected objects."""

    objects: tuple[SeenObject, ...]
    detections: tuple[Detection, ...]


SceneData.model_rebuild()


def write_base_data(folder: Path, result: BaseResult) -> Path:
    """Write the file beside the results it is made of: `{"video": …, "scenes": […]}`.

    Args:
        folder: The base run's folder.
        result: Written before the scenes.
    """
    path = folder / BASE_DATA
    with replacing(path) as file:
        head = json.dumps(result.model_dump(mode="json"), ensure_ascii=False)
        file.write(b'{"video": ' + head.encode() + b',\n"scenes": [')
        between = b"\n"
        for found in VideoFindings(folder):
            file.write(between + _scene_data(found).model_dump_json().encode())
            between = b",\n"
        file.write(b"\n]}\n")
    return path


def _scene_data(found: SceneFindings) -> SceneData:
    fields = {
        kind.data_name or kind.name: kind.scene_data(records) for kind, records in found.by_analyzer
    }
    return SceneData(scene=found.scene, **fields)


def read_base_data(path: Path) -> Iterator[SceneData]:
    """Read the scenes of such a file, one at a time.

    Raises:
        KairosError: It is not such a file, or is cut off.
    """
    import ijson

    parser: Any = ijson
    try:
        with path.open("rb") as file:
            for item in parser.items(file, "scenes.item", use_float=True):
                yield SceneData.model_validate(item)
    except (ijson.JSONError, ValidationError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise KairosError(f"{path} cannot be read as base data: {reason}") from error
