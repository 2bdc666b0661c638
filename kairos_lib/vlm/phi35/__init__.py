"""Phi-3.5-Vision as a model of our own, on transformers' Phi-3 and CLIP classes.

The original checkpoint (`microsoft/Phi-3.5-vision-instruct`) comes with code of its own, which
would have to be trusted and does not run with current transformers. This reads the same files and
computes the same numbers, with a working cache, batches, and any of torch's attentions.
"""
