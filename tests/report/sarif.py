"""SARIF logs as their readers take them: valid by the schema of the standard."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCHEMA_FILE = Path(__file__).with_name("sarif-schema-2.1.0.json")


@cache
def _validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    return jsonschema.Draft4Validator(
        json.loads(SCHEMA_FILE.read_text("utf-8")), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )


def read_sarif(text: str) -> Any:
    """The one run of a log that is valid, as JSON values."""
    log = json.loads(text, parse_constant=pytest.fail)
    assert [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(log)] == []
    (run,) = log["runs"]
    return run


def flaws(log: Any) -> list[str]:
    """Where a log is not what the standard asks for."""
    return [str(error.json_path) for error in _validator().iter_errors(log)]
