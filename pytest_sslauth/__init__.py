"""The pytest plugin of SSL-Auth: the marker ``sslauth`` and the fixtures beside it.

>>> from pytest_sslauth import SSLAuth  # for annotations: ``def test_search(sslauth: SSLAuth) -> None``
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sslauth.sslauth import SSLAuth

__all__ = ["SSLAuth"]


def __getattr__(name: str) -> Any:
    """Import on first use: this package is imported at every start of pytest, used or not."""
    if name == "SSLAuth":
        from pytest_sslauth.sslauth import SSLAuth

        return SSLAuth
    raise AttributeError(f"module 'pytest_sslauth' has no attribute '{name}'")
