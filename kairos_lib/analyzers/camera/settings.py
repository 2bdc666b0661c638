"""What counts as a camera's movement."""

from __future__ import annotations

from pydantic import Field

from kairos_lib.parameters.settings import Settings


class CameraSettings(Settings):
    """What counts as a movement of the camera: it has a speed, and gets somewhere."""

    pan_widths_per_s: float = Field(0.02, gt=0)
    """Slower than this share of the width per second is no pan and no tilt."""
    pan_widths: float = Field(0.05, ge=0)
    """A pan or tilt goes at least this far; what sways less is held by hand."""
    zoom_percent_per_s: float = Field(2.0, gt=0)
    zoom_percent: float = Field(3.0, ge=0)
    """A zoom changes the size by at least this much."""
    roll_deg_per_s: float = Field(1.5, gt=0)
    roll_deg: float = Field(2.0, ge=0)
    shake_widths: float = Field(0.002, gt=0)
    """Handheld is what deviates from its smooth path by more than this share of the width, root
    mean square: 1.3 pixels of 640."""
    shortest_s: float = Field(0.5, gt=0)
    """Stretches shorter than this belong to their neighbours."""
