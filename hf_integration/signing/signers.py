"""Who has to have signed: a key, or an identity that Sigstore vouches for."""

from dataclasses import dataclass
from pathlib import Path

from hf_integration.base.errors import MissingExtraError, UsageError
from hf_integration.base.text import quoted

SIGSTORE = "sigstore"


@dataclass(frozen=True)
class KeySigner:
    """The holder of a private key.

    Attributes:
        public_key: PEM file of its public part, an ECDSA key on P-256, P-384 or P-521.
    """

    public_key: Path

    def __str__(self) -> str:
        return f"the key {quoted(str(self.public_key), longest=400)}"


@dataclass(frozen=True)
class SigstoreSigner:
    """An identity that signed through Sigstore, without a key of its own.

    Attributes:
        identity: e-mail address, or URI such as that of a CI workflow.
        issuer: URL of the OpenID Connect provider that vouched for the identity.
    """

    identity: str
    issuer: str

    def __str__(self) -> str:
        return f"{quoted(self.identity)} of {quoted(self.issuer)}"


Signer = KeySigner | SigstoreSigner
"""Who may have signed a card."""


@dataclass(frozen=True)
class CertificateSigner:
    """The holder of a certificate that an authority issued, directly or through others.

    Attributes:
        roots: PEM file of the authorities that are believed; the system's are not.
    """

    roots: Path

    def __str__(self) -> str:
        return f"a holder of a certificate by {quoted(str(self.roots), longest=400)}"


Publisher = KeySigner | CertificateSigner | SigstoreSigner
"""Who may have signed the files of an encoder."""

CERTIFICATE = "certificate"


def publisher_from(text: str | Path, *, relative_to: Path | None = None) -> Publisher:
    """The publisher that a command line or a configuration names.

    Args:
        text: as of :func:`signer_from`, or ``certificate:`` and the path of the authorities' certificates.
        relative_to: folder that paths are relative to; by default the working directory.

    Raises:
        UsageError: it names none.
    """
    if isinstance(text, str) and text.startswith(f"{CERTIFICATE}:"):
        named = signer_from(text.removeprefix(f"{CERTIFICATE}:"), relative_to=relative_to)
        if isinstance(named, KeySigner):
            return CertificateSigner(named.public_key)
        raise UsageError(f"not a certificate: {quoted(text)}", remedy="write certificate:FILE")
    return signer_from(text, relative_to=relative_to)


def signer_from(text: str | Path, *, relative_to: Path | None = None) -> Signer:
    """The signer that a command line or a configuration names.

    Args:
        text: path of a public key, or ``sigstore:IDENTITY@ISSUER``.
        relative_to: folder that the path is relative to; by default the working directory.

    Raises:
        UsageError: it names none.
    """
    if isinstance(text, str) and text.startswith(f"{SIGSTORE}:"):
        # the last @: an identity holds one itself, in an e-mail address and in a workflow's branch
        identity, _, issuer = text.removeprefix(f"{SIGSTORE}:").rpartition("@")
        if not identity or not issuer.startswith("https://"):
            raise UsageError(
                f"not a Sigstore signer: {quoted(text)}", remedy="write sigstore:IDENTITY@https://ISSUER"
            )
        return SigstoreSigner(identity, issuer)
    if not str(text).strip():
        raise UsageError(
            "no signer is named",
            remedy="name a public key file or sigstore:IDENTITY@ISSUER; is a variable unset?",
        )
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # '~' of an unknown user
        raise UsageError(
            f"{quoted(str(text))} is no path: {error}", remedy="check the user's name"
        ) from error
    return KeySigner(path if relative_to is None else relative_to / path)


INSTALL = "pip install 'pytest-sslauth[sign]'"


def require_extra() -> None:
    """Find out whether signatures can be made and checked here.

    Raises:
        MissingExtraError: model-signing, or what it imports without declaring it, is not installed.
    """
    try:
        import model_signing.signing
        import model_signing.verifying  # noqa: F401
    except ImportError as error:
        missing = f" ({error.name} is missing)" if error.name else ""
        raise MissingExtraError(
            f"signatures need the extra 'sign'{missing}", remedy=f"run: {INSTALL}"
        ) from error
