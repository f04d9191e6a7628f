"""One server for each API, and an environment that is the same everywhere."""

import datetime
import ipaddress
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from hf_integration.endpoints import Api
from tests.endpoints.asking import ALL, embed
from tests.endpoints.server import EmbeddingServer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A certificate that nobody signed, with its key; ``None`` without the library that makes one."""
    if find_spec("cryptography") is None:
        return None
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(scope="session", autouse=True)
def one_environment(certificate: Path | None) -> Iterator[None]:
    """No proxy of the developer's, which would be asked for servers of this machine, and a bundle of one
    certificate: reading those of all authorities takes longer than most tests, for each of their clients."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        if certificate is not None:
            patch.setenv("SSL_CERT_FILE", str(certificate))
        yield


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[Api, EmbeddingServer]]:
    """Stopping a server takes longer than most of the tests: they share them."""
    all_of_them = {api: EmbeddingServer(api, embed) for api in ALL}
    for server in all_of_them.values():
        server.__enter__()
    yield all_of_them
    for server in all_of_them.values():
        server.__exit__()


@pytest.fixture
def server_of(servers: dict[Api, EmbeddingServer]) -> Iterator[dict[Api, EmbeddingServer]]:
    """The same servers, well-behaved again."""
    for server in servers.values():
        server.requests.clear()
        server.faults.clear()
        server.key, server.base64 = None, False
    yield servers
    assert [failure for server in servers.values() for failure in server.failures] == []
