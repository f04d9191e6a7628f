"""A layout: a tiny encoder saved as its publisher would, and how the library documents its use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.files.loading import silent_transformers
from tests.zoo.tiny import config_of, random_model


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: of an encoder that has it, and what it was saved as.
        model_type: of the configuration.
        modality: which tower is the encoder.
        use: the documented way to an embedding, a key of :data:`tests.zoo.documented.USES`.
        processor: makes what lies beside the weights, unless ``after`` does.
        settings: of the configuration, beside the tiny sizes.
        saved: class that is saved; empty where ``after`` writes the model.
        loads: class that the documented use loads.
        options: what the documented use gives ``from_pretrained``.
        save: options of ``save_pretrained``.
        after: changes the folder once it is saved.
        dtype: that the weights are saved in.
        in_memory: whether a model in memory is this encoder: one whose head took the place of a pooler gets a
            random pooler from AutoModel, and nothing in it tells.
        remote_code: whether the repository names code of its own, which is not run: minting is told so.
        refused: words of the reason for which it is refused; empty for one that works.
    """

    name: str
    model_type: str
    modality: Modality
    use: str
    processor: Callable[[], Any] | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    saved: str = "AutoModel"
    loads: str = "AutoModel"
    options: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, Any] = field(default_factory=dict)
    after: Callable[[Path], None] | None = None
    dtype: str = "float32"
    in_memory: bool = True
    remote_code: bool = False
    refused: str = ""

    def write(self, folder: Path) -> None:
        """Fill a folder."""
        folder.mkdir(exist_ok=True)
        with silent_transformers():
            self._write_model(folder)
            if self.processor is not None:
                self.processor().save_pretrained(folder)
        if self.after is not None:
            self.after(folder)

    def _write_model(self, folder: Path) -> None:
        if self.saved:
            config = config_of(self.model_type, **self.settings)
            model = random_model(config, self.saved)
            model.to(getattr(torch, self.dtype)).save_pretrained(folder, **self.save)
