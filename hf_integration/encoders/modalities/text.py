"""Texts: tokenised once, grouped by length, padded with a mask."""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_integration.base.errors import ENDING, EncoderError, KeySampleError, in_one_line
from hf_integration.encoders.identity.behaviour import Behaviour, tokenizer_behaviour
from hf_integration.encoders.modalities.preparation import Batch, Preparation, Prepared

STRIP_DIM = 256  # one SHA-256

# Their position numbers start behind the padding index, so that many positions fewer are usable.
_OFFSET_POSITIONS = frozenset(
    {
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "roberta-prelayernorm",
        "data2vec-text",
        "clap_text_model",
        "altclip_text_model",
        "longformer",
        "xmod",
    }
)


class TextPreparation(Preparation):
    """A tokenizer, the longest text it keeps, and the prompt that is put before every text.

    Args:
        tokenizer: a transformers tokenizer.
        called: what of the model is called; it decides which of the tokenizer's outputs are passed on.
        max_length: longest sequence in tokens; longer texts are truncated.
        prompt: put before every text.
        fixed_length: pad every text to ``max_length`` (SigLIP was trained so and has no mask).
    """

    modality = "text"
    special_tokens = True
    """Whether class and separator tokens are put around a text."""

    def __init__(
        self,
        tokenizer: Any,
        called: Callable[..., Any],
        *,
        max_length: int,
        prompt: str = "",
        fixed_length: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._loaded_length = tokenizer.model_max_length
        self.max_length = max_length
        self.prompt = prompt
        self.fixed_length = fixed_length
        self.backend = "tokenizers" if getattr(tokenizer, "is_fast", False) else "python"
        # Left padding shifts absolute positions, so such models get batches of equal length instead.
        self.pads = not fixed_length and getattr(tokenizer, "padding_side", "right") == "right"
        parameters = inspect.signature(called).parameters
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        self._passed_on = [name for name in tokenizer.model_input_names if name in parameters or open_ended]
        if "input_ids" not in self._passed_on:
            raise EncoderError(f"{_owner(called)} does not take the input_ids of {type(tokenizer).__name__}")

    @property
    def processor(self) -> Any:
        """The tokenizer."""
        return self._tokenizer

    def prepare(self, samples: Sequence[Any]) -> Prepared:
        """Tokenise all texts.

        Raises:
            KeySampleError: a sample is not text, or gives no token.
        """
        for sample in samples:
            if not isinstance(sample, str):
                raise KeySampleError(
                    f"this encoder takes text, and a sample is {type(sample).__name__}",
                    remedy="give key samples of the encoder's modality",
                )
        if not samples:
            return PreparedTexts({name: [] for name in self._passed_on}, {})
        rows: dict[str, list[list[int]]] = {}
        for text in samples:  # by itself: the library keeps what it truncates until a call ends
            for name, row in self._tokenised(text).items():
                rows.setdefault(name, []).append(row)
        if not all(rows["input_ids"]):
            raise KeySampleError("a text gives no token at all", remedy="leave empty texts out")
        pad = self._tokenizer.pad_token_id
        fill = {"input_ids": 0 if pad is None else pad, "token_type_ids": self._tokenizer.pad_token_type_id}
        return PreparedTexts(rows, fill)

    def _tokenised(self, text: str) -> dict[str, list[int]]:
        """What the model is called with for one text."""
        try:
            encoded = self._tokenizer(
                *self._given(text),
                padding="max_length" if self.fixed_length else False,
                truncation=True,
                max_length=self.max_length,
                add_special_tokens=self.special_tokens,
            )
        except ENDING:
            raise
        except BaseException as error:  # tokenizers raises bare Exception and pyo3's PanicException
            raise KeySampleError(f"a text cannot be tokenised: {in_one_line(error)}") from error
        tokens = len(encoded["input_ids"][0])
        if tokens > self.max_length:  # a template that repeats the text does so when it was truncated
            raise KeySampleError(f"a text gives {tokens} tokens, and {self.max_length} are the most")
        return {name: encoded[name][0] for name in self._passed_on if name in encoded}

    def _given(self, text: str) -> tuple[list[str], ...]:
        """What the tokenizer is given for one text."""
        return ([self.prompt + text],)

    def prompt_tokens(self) -> int:
        """Tokens of the prompt, with what the tokenizer puts before it and without what it puts behind it."""
        if not self.prompt:
            return 0
        tokens = self._tokenised("")["input_ids"]
        return len(tokens) - (bool(tokens) and tokens[-1] in self._tokenizer.all_special_ids)

    def behaviour(self) -> Behaviour:
        """Tokenizer files and attributes, and the longest text."""
        found = tokenizer_behaviour(self._tokenizer)
        settings = found.get("tokenizer_config.json")
        padding = "max_length" if self.fixed_length else "longest"
        called_with: dict[str, Any] = {"max_length": self.max_length, "padding": padding}
        if self._tokenizer.model_max_length != self._loaded_length:
            # What its users get by truncation=True. Only a change counts: libraries load different defaults.
            called_with["model_max_length"] = self._tokenizer.model_max_length
        return found | Behaviour({"tokenizer_config.json": {**settings, **called_with}})


def _owner(called: Callable[..., Any]) -> str:
    return type(getattr(called, "__self__", called)).__name__


class PreparedTexts(Prepared):
    """Token sequences of their own length.

    Args:
        rows: tokenizer output name -> one list of ints per text.
        fill: value that pads each output; masks are padded with 0.
    """

    def __init__(self, rows: Mapping[str, list[list[int]]], fill: Mapping[str, int]) -> None:
        self._rows = {
            name: [np.asarray(row, dtype=np.int64) for row in values] for name, values in rows.items()
        }
        self._fill = fill
        self.lengths = [len(row) for row in self._rows["input_ids"]]

    def batch(self, indices: Sequence[int]) -> Batch:
        """Right-padded inputs with shape ``(batch, longest)``."""
        longest = max(self.lengths[index] for index in indices)
        inputs = {}
        for name, rows in self._rows.items():
            padded = np.full((len(indices), longest), self._fill.get(name, 0), dtype=np.int64)
            for place, index in enumerate(indices):
                padded[place, : len(rows[index])] = rows[index]
            inputs[name] = torch.from_numpy(padded)
        return Batch(inputs)

    def strip(self, indices: Sequence[int]) -> Tensor:
        """The bits of SHA-256 over the unpadded inputs as ±1: another token anywhere flips half of them."""
        digests = [self._digest(index) for index in indices]
        bits = np.unpackbits(np.frombuffer(b"".join(digests), dtype=np.uint8)).reshape(
            len(indices), STRIP_DIM
        )
        return torch.from_numpy(bits.astype(np.float64) * 2 - 1)

    def _digest(self, index: int) -> bytes:
        state = hashlib.sha256()
        for name in sorted(self._rows):
            state.update(f"{name} {len(self._rows[name][index])}\0".encode())
            state.update(self._rows[name][index].astype("<i8").tobytes())
        return state.digest()


def longest_text(tokenizer: Any, config: Any) -> int:
    """Longest sequence in tokens that tokenizer and model both take."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        positions = 512 if tokenizer.model_max_length > 1_000_000 else tokenizer.model_max_length
    elif config.model_type in _OFFSET_POSITIONS:
        positions -= (config.pad_token_id if config.pad_token_id is not None else 1) + 1
    return int(min(tokenizer.model_max_length, positions))
