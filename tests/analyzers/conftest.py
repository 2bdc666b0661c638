"""Photographs that a package at hand has."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def bus() -> np.ndarray:
    """RGB: a street with a blue bus and four people, in daylight; 810 x 1080 pixels."""
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "assets" / "bus.jpg") as image:
        return np.asarray(image.convert("RGB"))
