"""Captioning of scenes with vision-language models."""
