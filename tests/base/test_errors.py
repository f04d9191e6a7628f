"""The errors that callers catch."""

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
