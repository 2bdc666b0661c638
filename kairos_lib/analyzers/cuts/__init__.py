"""Cuts: shots, how they follow one another, and the rhythm of that."""

from kairos_lib.analyzers.cuts.analyzer import Analyzer as Analyzer
