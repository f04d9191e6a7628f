"""Folders of transformers whose weights torchao made integers, saved as safetensors."""

import copy
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.converted.original import Original
from hf_integration.converted.quantising import TORCHAO, by_torchao
from hf_integration.converted.runtime import Array, Converted, Held, Integers, needed, readable
from hf_integration.converted.states import INPUTS, StatesModel
from hf_integration.converted.surroundings import Surroundings, read_surroundings
from hf_integration.encoders.files.folder_files import check_file
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.files.loading import silent_transformers
from hf_integration.encoders.files.safetensors_files import SINGLE, read_header
from hf_integration.encoders.running.torch_encoder import TorchEncoder

CONFIG = "config.json"
DATA, SCALE, ZERO = "_weight_qdata", "_weight_scale", "_weight_zero_point"


class TorchaoModel(StatesModel):
    """A folder that transformers loads by torchao.

    Args:
        path: as the caller named it.
        kind: name of the configuration that made the integers.
        surroundings: what is beside the weights.
        module: the model, if it is in memory already.
    """

    runtime = "torchao"

    def __init__(
        self, path: Path, kind: str, surroundings: Surroundings, module: nn.Module | None = None
    ) -> None:
        super().__init__(path, (path / SINGLE, path / CONFIG), surroundings)
        self.kind = kind
        self.chaotic = TORCHAO[kind]
        self.holds_arrays = module is None
        self._module = module

    @classmethod
    def open(cls, path: Path, original: Original) -> "TorchaoModel":
        """Read a folder.

        Raises:
            EncoderError: damaged, or made by a configuration that is not known here.
            UsageError: the extra is not installed.
        """
        needed("torchao.quantization", "torchao")
        check_file(path / CONFIG)
        said = read_json(path / CONFIG, dict).get("quantization_config")
        try:
            kind = said["quant_type"]["default"]["_type"]
        except (TypeError, KeyError):
            raise EncoderError(f"{path / CONFIG}: it does not say how torchao made integers") from None
        if kind not in TORCHAO:
            raise EncoderError(
                f"{path / CONFIG}: torchao's {quoted(str(kind))} is not known here",
                remedy=f"supported: {', '.join(TORCHAO)}",
            )
        check_file(path / SINGLE)
        read_header(path / SINGLE)
        return cls(path, kind, read_surroundings(path / SINGLE, original))

    @property
    def pools(self) -> bool:
        """See :meth:`StatesModel.pools`: it never does."""
        return False

    def arrays(self) -> Iterator[Held]:
        """See :meth:`StatesModel.arrays`."""
        from safetensors import safe_open

        with (
            readable(self.path / SINGLE, "read"),
            safe_open(self.path / SINGLE, framework="pt") as file,
        ):
            names = set(file.keys())
            for name in sorted(names):
                stem = name.removesuffix(DATA)
                if (
                    name.endswith((SCALE, ZERO))
                    and name.removesuffix(SCALE).removesuffix(ZERO) + DATA in names
                ):
                    continue
                tensor = file.get_tensor(name)
                kind = str(tensor.dtype).removeprefix("torch.")
                if stem == name or stem + SCALE not in names:
                    yield Held(name, _array(tensor), kind)
                    continue
                scale = _array(file.get_tensor(stem + SCALE)).astype(np.float32)
                zero = _array(file.get_tensor(stem + ZERO)) if stem + ZERO in names else None
                offset = np.float32(0) if zero is None else zero.astype(np.float32)
                numbers = (_array(tensor).astype(np.float32) - offset) * scale
                yield Integers(
                    f"{stem}weight",
                    _array(tensor),
                    kind,
                    f"torchao {self.kind}",
                    scale,
                    zero,
                    numbers,
                    arrays=2 if zero is None else 3,
                )

    def run(self, encodings: Sequence[Any]) -> Array:
        """See :meth:`StatesModel.run`."""
        arrays = self.padded(encodings)
        with readable(self.path, "run by torchao"), silent_transformers(), torch.inference_mode():
            if self._module is None:
                from transformers import AutoModel

                self._module = AutoModel.from_pretrained(
                    self.path,
                    dtype=torch.float32,
                    use_safetensors=True,
                    local_files_only=True,
                    trust_remote_code=False,
                ).eval()
            given = {name: torch.from_numpy(arrays[name]) for name in INPUTS[:3]}
            states: Array = self._module(**given).last_hidden_state.float().numpy()
        return states

    def reference(
        self,
        encoder: TorchEncoder,
        rules: Collection[str],  # noqa: ARG002  # the configuration is that of the file
    ) -> Converted | str:
        """See :meth:`Converted.reference`."""
        return self.made(encoder, self.kind, self.surroundings.trusted, self.path)

    @classmethod
    def made(cls, encoder: TorchEncoder, kind: str, surroundings: Surroundings, path: Path) -> "TorchaoModel":
        """A trusted copy, made integers in memory: it can be run, and holds no arrays.

        Args:
            encoder: the trusted copy.
            kind: name of the configuration that makes the integers.
            surroundings: what it is run with.
            path: what messages call it.
        """
        module = copy.deepcopy(encoder.model).eval()
        by_torchao(module, kind)
        return cls(path, kind, surroundings, module)


def _array(tensor: torch.Tensor) -> Array:
    found: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return found
