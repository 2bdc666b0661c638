"""Faces: the analyzer, its networks, and what is recorded of a face."""

from kairos_lib.analyzers.faces.analyzer import Analyzer as Analyzer
