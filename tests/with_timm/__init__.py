"""Encoders of timm, in processes that have it: ``python -m tests.with_timm FOLDER``."""

import importlib
from typing import Any

import pytest


def timm_or_skip() -> Any:
    """The library; where it cannot be imported, the tests of a module are skipped."""
    try:
        return importlib.import_module("timm")
    except Exception:  # torchvision, which it needs, raises anything where it does not fit torch
        reason = "timm cannot be imported in this process: python -m tests.with_timm FOLDER"
        pytest.skip(reason, allow_module_level=True)
