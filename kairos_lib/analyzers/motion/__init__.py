"""Motion: how the picture moves as a whole, and what moves in it by itself."""

from kairos_lib.analyzers.motion.analyzer import Analyzer as Analyzer
from kairos_lib.analyzers.motion.analyzer import Motion as Motion
