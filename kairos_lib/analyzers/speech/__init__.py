"""Speech to text: the analyzer, its engines, and the services behind two of them."""

from kairos_lib.analyzers.speech.analyzer import Analyzer as Analyzer
