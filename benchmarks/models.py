"""The models that `batches` times: the nano ones, and full-size shapes with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load
from kairos_lib.project import Project
from kairos_lib.weights.location import NANO


def nano_ast() -> tuple[Any, Any]:
    import torch
    import transformers

    path = str(NANO / "ast")
    extractor = transformers.AutoFeatureExtractor.from_pretrained(path, trust_remote_code=False)
    model = transformers.ASTForAudioClassification.from_pretrained(
        path, dtype=torch.float32, trust_remote_code=False
    )
    return extractor, model


def full_ast() -> tuple[Any, Any]:
    """The shape of AST base (12 layers of 768), as transformers' defaults have it, 527 labels."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.ASTConfig(num_labels=527)
    return transformers.ASTFeatureExtractor(), transformers.ASTForAudioClassification(config)


def nano_yolo() -> Path:
    weights = load(Project.find(), Base, "nano").objects.weights
    assert weights is not None
    return NANO / weights.id


def full_yolo(cache: Path) -> Path:
    """YOLOv8n with 80 classes, as its configuration file has it, in a checkpoint of its own."""
    from kairos_lib.analyzers.objects import set_up_ultralytics

    set_up_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    path = cache / "yolov8n-random.pt"
    if not path.exists():
        torch.manual_seed(0)
        model: Any = DetectionModel("yolov8n.yaml", ch=3, nc=80, verbose=False)
        model.args = {"task": "detect", "imgsz": 640}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save({"model": model.half(), "train_args": {"task": "detect"}}, partial)
        partial.rename(path)
    return path
