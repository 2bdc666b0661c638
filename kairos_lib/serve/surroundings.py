"""What libraries read from the environment, set for a group's processes before they start."""

from __future__ import annotations

import os

from kairos_lib.errors import KairosError
from kairos_lib.measure import threads, vram
from kairos_lib.measure.devices import number_of
from kairos_lib.measure.provenance import gpus
from kairos_lib.parameters.model import ALLOCATOR
from kairos_lib.parameters.service import Service
from kairos_lib.runs.run import NOTEBOOK_FOLDER


def settle(service: Service, name: str) -> None:
    """Set what libraries read from the environment, for this process's children to inherit.

    Raises:
        KairosError: There is no such group, or its GPU is not here.
    """
    group = service.groups[name]
    os.environ.pop(NOTEBOOK_FOLDER, None)
    if group.threads is not None:
        for variable in (threads.COUNT, threads.COUNT_OF_MKL):
            os.environ[variable] = str(group.threads)
    threads.settle()
    # A log is no terminal: each bar of a loading model would fill a line of it many times over.
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if service.offline:
        os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "YOLO_OFFLINE": "1"}
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    if group.device == "cpu":
        os.environ[vram.VISIBLE] = ""
        return
    if number_of(group.device) >= len(gpus()):
        raise KairosError(
            f"group {name}: device: {group.device} is not here ({len(gpus()) or 'no'} GPU can be "
            f"seen): set device: cpu in parameters/service/{service.name}.yaml, or take another "
            "file, such as --service nano"
        )
    shown = [part.strip() for part in os.environ.get(vram.VISIBLE, "").split(",") if part.strip()]
    number = number_of(group.device)
    os.environ[vram.VISIBLE] = shown[number] if shown else str(number)
    if group.allocator:
        os.environ[ALLOCATOR] = group.allocator
