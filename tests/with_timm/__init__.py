"""Encoders of timm, in processes that have it: ``python -m tests.with_timm FOLDER``."""

NEEDED = "timm, which needs torchvision, is not in this process: python -m tests.with_timm FOLDER"
