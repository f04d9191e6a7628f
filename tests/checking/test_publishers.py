"""Who has to have signed an encoder, as ``sslauth.toml`` says it: by entry, and by pattern of repo ids."""

from pathlib import Path

import pytest

from hf_integration.base.errors import UsageError
from hf_integration.checking.finding import Asked, Project
from hf_integration.checking.pins.reading import parse_pins
from hf_integration.signing.signers import CertificateSigner, KeySigner, SigstoreSigner

PINS = """
version = 1
[publishers]
"nvidia/special" = "keys/special.pub"
"nvidia/*" = "certificate:keys/nvidia.pem"
"ibm-*/granite-?" = "sigstore:a@b.c@https://issuer"
[encoders.own]
repo = "nvidia/own"
publisher = "keys/own.pub"
[encoders.covered]
repo = "nvidia/covered"
[encoders.folder]
path = "models/nvidia"
"""

NVIDIA, SPECIAL = CertificateSigner(Path("keys/nvidia.pem")), KeySigner(Path("keys/special.pub"))


@pytest.mark.parametrize(
    ("name", "publishers"),
    [
        ("own", (KeySigner(Path("keys/own.pub")),)),
        ("covered", (NVIDIA,)),
        ("folder", ()),
        ("nvidia/special", (SPECIAL,)),
        ("nvidia/other", (NVIDIA,)),
        ("NVIDIA/Other", (NVIDIA,)),
        ("ibm-research/granite-2", (SigstoreSigner("a@b.c", "https://issuer"),)),
        ("ibm-research/granite-22", ()),
        ("evil/nvidia", ()),
        ("other/nvidia-x", ()),
    ],
)
def test_an_entry_comes_first_and_then_the_first_pattern(
    name: str, publishers: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sslauth.toml").write_text(PINS)
    monkeypatch.chdir(tmp_path)
    assert Project().encoder(Asked(encoder=name)).publishers == publishers


def test_patterns_hold_whatever_entries_may_be_meant_and_besides_who_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sslauth.toml").write_text(PINS)
    monkeypatch.chdir(tmp_path)
    other = KeySigner(Path("other.pub"))
    for pins in ("any", "by name", "none"):
        asked = Asked(encoder="nvidia/special", pins=pins, publisher=other)
        assert Project().encoder(asked).publishers == (other, SPECIAL)
    again = Asked(encoder="nvidia/special", publisher=SPECIAL)
    assert Project().encoder(again).publishers == (SPECIAL,)
    assert Project().encoder(Asked(encoder="org/name", publisher=other)).publishers == (other,)


def test_a_folder_that_is_called_like_a_repository_needs_the_same_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sslauth.toml").write_text(PINS)
    (tmp_path / "nvidia" / "other").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    place = Project().encoder(Asked(encoder="nvidia/other"))
    assert (place.folder, place.publishers) == (Path("nvidia/other"), (NVIDIA,))
    assert Project().encoder(Asked(encoder="./nvidia/other")).publishers == ()


def test_files_of_publishers_are_inputs_that_no_output_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sslauth.toml").write_text(PINS)
    monkeypatch.chdir(tmp_path)
    files = {"own": "keys/own.pub", "covered": "keys/nvidia.pem", "nvidia/x": "keys/nvidia.pem"}
    for name, file in files.items():
        found = Project().find(Asked(encoder=name, own_card="only"))
        assert Path(file) in found.inputs
        assert Path(file) in found.read


BAD = [
    '[publishers]\n"nvidia/*" = 7',
    '[publishers]\n"nvidia/*" = ""',
    '[publishers]\n"nvidia/*" = "/etc/key.pub"',
    '[publishers]\n"nvidia/*" = "certificate:/etc/ca.pem"',
    '[publishers]\n"nvidia/*" = "certificate:"',
    '[publishers]\n"nvidia/*" = "sigstore:nobody"',
    '[publishers]\n"a/b/c" = "key.pub"',
    '[publishers]\n"" = "key.pub"',
    '[publishers]\n"../x" = "key.pub"',
    '[publishers]\n"a b/*" = "key.pub"',
    '[publishers]\n"\\u001b/*" = "key.pub"',
    "publishers = 7",
    "publishers = []",
    '[publishers."nvidia/*"]\nkey = "key.pub"',
    '[encoders.a]\nrepo = "a/b"\npublisher = "/etc/key.pub"',
    '[encoders.a]\nrepo = "a/b"\npublisher = ["key.pub"]',
    "[publishers]\n" + "\n".join(f'"a/{number}" = "key.pub"' for number in range(101)),
]


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_meant_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pins(f"version = 1\n{text}\n", Path("sslauth.toml"))
    said = str(caught.value)
    assert said.isprintable()
    assert said.startswith("sslauth.toml, line ")
