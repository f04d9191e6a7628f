"""The same conversion of trusted weights: an ONNX file made here, with integers by the rules of another file.

Conversion is deterministic: what is made here of unaltered weights answers as the file does.
"""

import logging
import tempfile
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.errors import ENDING, in_one_line
from hf_integration.base.text import quoted
from hf_integration.converted.runtime import needed
from hf_integration.encoders.running.torch_encoder import TorchEncoder

OPSET = 17
OUTPUT = "last_hidden_state"


class States(nn.Module):
    """A model called with arrays in an order, which gives its last hidden states alone."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *arrays: Tensor) -> Tensor:
        """Hidden states, float ``(n, positions, dim)``, of the inputs in their order."""
        states: Tensor = self.model(**dict(zip(self.names, arrays, strict=True))).last_hidden_state
        return states


def export(encoder: TorchEncoder, names: Sequence[str], path: Path) -> None:
    """Write an encoder as an ONNX file that takes these inputs.

    Args:
        encoder: the trusted copy.
        names: inputs in their order.
        path: where the file is written.
    """
    array = torch.ones(2, 7, dtype=torch.long)
    with _silent(), torch.inference_mode():
        torch.onnx.export(
            States(encoder.model, names).eval(),
            tuple(torch.zeros_like(array) if name == "token_type_ids" else array for name in names),
            str(path),
            input_names=list(names),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "batch", 1: "positions"} for name in (*names, OUTPUT)},
            opset_version=OPSET,
            dynamo=False,
        )


def quantised_bytes(encoder: TorchEncoder, names: Sequence[str], rules: Collection[str]) -> bytes | str:
    """An ONNX file of an encoder with integers by some rules, for dynamic scales; or why there is none.

    Args:
        encoder: the trusted copy.
        names: inputs that the file has to take.
        rules: names of rules, as :func:`~hf_integration.converted.quantising.rules` gives them.
    """
    needed("onnxruntime", "onnx")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kind = QuantType.QInt8 if any(rule.startswith("int8") for rule in rules) else QuantType.QUInt8
    try:
        with tempfile.TemporaryDirectory(prefix="sslauth-") as folder, _silent():
            floats, integers = Path(folder, "model.onnx"), Path(folder, "quantised.onnx")
            export(encoder, names, floats)
            quantize_dynamic(
                floats,
                integers,
                weight_type=kind,
                per_channel=any("each channel" in rule for rule in rules),
                reduce_range=any("reduced range" in rule for rule in rules),
            )
            return integers.read_bytes()
    except ENDING:
        raise
    except BaseException as error:  # exporters raise what they like
        return f"the trusted copy cannot be converted here: {quoted(in_one_line(error))}"


@contextmanager
def _silent() -> Iterator[None]:
    """Keep exporters from printing."""
    loggers: list[Any] = [logging.getLogger(name) for name in ("torch.onnx", "root")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
