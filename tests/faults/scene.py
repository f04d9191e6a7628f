"""Where a fault happens: a Hub, another host, an encoder with its card, and what an attacker made of both."""

import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import copytree

from tests.hub_server import Fault, HubServer
from tests.hub_server.faults import Behaviour

TOKEN = "hf_" + "NobodyMaySeeThisToken"
WEIGHTS = "model.safetensors"
PATIENCE = {"HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2"}  # seconds of silence
LOUD = 0.5  # what the attacker adds to one weight


@dataclass(frozen=True)
class Scene:
    """Everything that all faults have in common.

    Attributes:
        hub: the Hub, for the account with :data:`TOKEN`.
        elsewhere: another host, where the attacker's encoders go by the same names.
        folder: the project that checks, with its ``card`` and the ``encoder`` as it was published.
    """

    hub: HubServer
    elsewhere: HubServer
    folder: Path

    @cached_property
    def files(self) -> dict[str, bytes]:
        return _files(self.folder / "encoder")

    @cached_property
    def attacked(self) -> dict[str, bytes]:
        """The attacker's encoder, with a card that the attacker minted for it."""
        from tests.tiny_cards import mint_quickly

        forged = copytree(self.folder / "encoder", self.folder / "forged")
        _alter(forged / WEIGHTS)
        mint_quickly(forged, self.folder / "forged-card")
        card = {f"sslauth/{name}": content for name, content in _files(self.folder / "forged-card").items()}
        return {**_files(forged), **card}

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Environment of a process that asks the Hub as the account and waits briefly."""
        return self.hub.environment(home, **{"HF_TOKEN": TOKEN, **PATIENCE, **more})


@dataclass(frozen=True)
class Place:
    """One repository of the scene, and what is wrong with it.

    Attributes:
        scene: the scene.
        repo: id of the repository.
    """

    scene: Scene
    repo: str

    @property
    def files(self) -> dict[str, bytes]:
        """The encoder, in bytes that no other repository has: faults of the second port go by content."""
        return self.told_apart(self.scene.files)

    @property
    def attacked(self) -> dict[str, bytes]:
        return self.told_apart(self.scene.attacked)

    def told_apart(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        return {**files, WEIGHTS: _labelled(files[WEIGHTS], self.repo)}

    def publish(self, files: Mapping[str, bytes] | None = None, *, gated: bool = False) -> str:
        return self.scene.hub.create(self.repo, self.files if files is None else files, gated=gated)

    def everywhere(self, behaviour: Behaviour, times: int | None = None) -> None:
        self._spoil(behaviour, rf"^/(api/models/)?{re.escape(self.repo)}(/|\?|$)", times)

    def page(self, behaviour: Behaviour, times: int | None = None) -> None:
        self._spoil(behaviour, rf"^/api/models/{re.escape(self.repo)}(/revision/|\?|$)", times)

    def listing(self, behaviour: Behaviour, times: int | None = None) -> None:
        self._spoil(behaviour, rf"^/api/models/{re.escape(self.repo)}/tree/", times)

    def file(self, name: str, behaviour: Behaviour, times: int | None = None) -> None:
        self._spoil(behaviour, rf"^/{re.escape(self.repo)}/resolve/[^/]+/{re.escape(name)}", times)

    def every_file(self, behaviour: Behaviour) -> None:
        self._spoil(behaviour, rf"^/{re.escape(self.repo)}/resolve/", None)

    def transfer(self, behaviour: Behaviour, times: int | None = None) -> None:
        """Spoil the bytes of the weights on their way."""
        from tests.hub_server.repository import File

        self._spoil(behaviour, f"^/cdn/{File(self.files[WEIGHTS], large=True).sha256}", times)

    def _spoil(self, behaviour: Behaviour, path: str, times: int | None) -> None:
        self.scene.hub.faults.append(Fault(behaviour, path=path, times=times))


@contextmanager
def a_scene(folder: Path) -> Iterator[Scene]:
    """Build it in an empty folder."""
    from tests.tiny_cards import save_with_card

    save_with_card(folder / "encoder", folder / "card")
    with HubServer() as hub, HubServer() as elsewhere:
        hub.token = TOKEN
        yield Scene(hub, elsewhere, folder)
        assert hub.failures + elsewhere.failures == []


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.iterdir()}


def _labelled(weights: bytes, label: str) -> bytes:
    """The same tensors with a label in the file's header."""
    (length,) = struct.unpack("<Q", weights[:8])
    header = json.loads(weights[8 : 8 + length])
    header["__metadata__"] = {"format": "pt", "label": label}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + weights[8 + length :]


def _alter(weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += LOUD
    save_file(tensors, weights, metadata={"format": "pt"})
