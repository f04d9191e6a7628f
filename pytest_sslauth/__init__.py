"""The pytest plugin of SSL-Auth: the marker ``sslauth`` and the fixtures beside it.

>>> from pytest_sslauth import SSLAuth  # for annotations: ``def test_search(sslauth: SSLAuth) -> None``
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sslauth.endpoints import AuthenticEndpoint
    from pytest_sslauth.sslauth import AuthenticEncoders, SSLAuth

__all__ = ["AuthenticEncoders", "AuthenticEndpoint", "SSLAuth"]


def __getattr__(name: str) -> Any:
    """Import on first use: this package is imported at every start of pytest, used or not."""
    if name in ("AuthenticEncoders", "SSLAuth"):
        from pytest_sslauth import sslauth

        return getattr(sslauth, name)
    if name == "AuthenticEndpoint":
        from pytest_sslauth.endpoints import AuthenticEndpoint

        return AuthenticEndpoint
    raise AttributeError(f"module 'pytest_sslauth' has no attribute '{name}'")
