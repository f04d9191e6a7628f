"""The optional libraries behind signatures: without them, a signer that is named is never just ignored."""

from hf_integration.errors import UsageError

INSTALL = "pip install 'pytest-sslauth[sign]'"


def require_extra() -> None:
    """Find out whether signatures can be made and checked here.

    Raises:
        UsageError: model-signing, or what it imports without declaring it, is not installed.
    """
    try:
        import model_signing.signing
        import model_signing.verifying  # noqa: F401
    except ImportError as error:
        missing = f" ({error.name} is missing)" if error.name else ""
        raise UsageError(
            f"signatures of cards need the extra 'sign'{missing}", remedy=f"run: {INSTALL}"
        ) from error
