"""Embedding servers that people run, as processes, with a real encoder: ``tox run -e servers``."""
