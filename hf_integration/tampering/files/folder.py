"""An altered copy of an encoder's folder, loaded as any other folder is."""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.progress import Progress
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.saving import NOT_COPIED

JsonEdit = Callable[[Any], bool]
"""Edits the parsed content of a JSON file in place, and says whether there was anything to edit."""


@dataclass(frozen=True)
class FolderTampering(Tampering):
    """Edits JSON files in a copy of the folder.

    Attributes:
        title: the name.
        edits: file within the folder -> what is done to it; files that are not there are passed over.
    """

    title: str
    edits: Mapping[str, JsonEdit]

    @property
    def name(self) -> str:
        """See :class:`Tampering`."""
        return self.title

    def applies(self, encoder: Encoder) -> bool:
        """Whether the encoder's folder holds anything to edit."""
        return bool(encoder.path is not None and self._edited(encoder.path))

    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:  # noqa: ARG002  # quick
        """The encoder of the edited folder, which is removed together with it.

        Raises:
            ValueError: there is nothing to edit.
            EncoderError: the edited folder cannot be loaded.
        """
        edited = self._edited(encoder.path) if encoder.path is not None else {}
        if not edited or encoder.path is None:
            raise ValueError(f"'{encoder.name}' has nothing for '{self.name}' to alter")
        folder = Path(tempfile.mkdtemp(prefix="sslauth-altered-"))
        try:
            shutil.copytree(
                encoder.path,
                folder,
                ignore=shutil.ignore_patterns(*NOT_COPIED),
                copy_function=_link_weights,
                dirs_exist_ok=True,
            )
            for file, content in edited.items():
                (folder / file).write_text(json.dumps(content), "utf-8")
            altered = open_encoder(
                folder,
                name=encoder.name,
                modality=encoder.modality,
                preferred=encoder.description,
                device=encoder.device,
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(altered, shutil.rmtree, folder, ignore_errors=True)
        return altered

    def _edited(self, folder: Path) -> dict[str, Any]:
        """Contents of the files that there was anything to edit in."""
        edited = {}
        for file, edit in self.edits.items():
            if (folder / file).is_file():
                content = json.loads((folder / file).read_bytes())
                if edit(content):
                    edited[file] = content
        return edited


def _link_weights(source: str, target: str) -> None:
    """Weights are only read, so they need no copy; everything else is copied."""
    if source.endswith(".safetensors"):
        try:
            os.link(os.path.realpath(source), target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copy(source, target)
