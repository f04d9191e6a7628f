"""The errors that callers catch."""

import subprocess
import sys

import hf_integration.base.errors as ground
from hf_integration import errors


def test_every_error_has_its_public_name() -> None:
    ours = {
        name
        for name, value in vars(ground).items()
        if isinstance(value, type) and issubclass(value, errors.SSLAuthError)
    }
    assert len(ours) > 10
    assert set(errors.__all__) == ours == {name for name in ours if hasattr(errors, name)}


def test_errors_are_there_after_the_import_that_the_documentation_shows() -> None:
    """``except hf_integration.errors.LoadRefusedError`` is looked up when something was refused already."""
    code = "import hf_integration; print(hf_integration.errors.LoadRefusedError.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "LoadRefusedError"
