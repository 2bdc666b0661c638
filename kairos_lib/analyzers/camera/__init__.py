"""Camera: pans, tilts, zooms, rolls and shake."""

from kairos_lib.analyzers.camera.analyzer import Analyzer as Analyzer
