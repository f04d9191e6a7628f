"""What is beside a converted model and decides what its users get: tokenizer, cut, prompt, pooling, tail."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.converted.original import Original, of_copy
from hf_integration.converted.runtime import Array, readable
from hf_integration.encoders.files.folder_files import check_file, files_of
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.identity.behaviour import VOCABULARY, Behaviour, pipeline_as_saved
from hf_integration.encoders.modalities.pipeline_growth import check_growth, is_costly, text_steps
from hf_integration.encoders.modalities.recipes import Recipe, sentence_recipe
from hf_integration.encoders.modalities.sentence_modules import read_sentence_modules
from hf_integration.encoders.opening import tail_of
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import own_length

TOKENIZER = "tokenizer.json"
INNER = ("onnx", "openvino", "ctranslate2")
"""Folders for a runtime's files within a folder of sentence-transformers."""

_NOT_OBEYED = frozenset({"truncation", "padding", "version", "decoder"})
"""Keys of a tokenizer's file that its users set by themselves, or that no text passes."""

LONGEST = 1 << 20
"""Tokens that a tokenizer may leave of a text."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The files beside a model, as they are in effect.

    Attributes:
        tokenizer: of the library ``tokenizers``; ``None`` if there is none.
        original: what is known of the encoder that was converted.
        length: tokens at which a text is cut; ``None`` if nothing says so.
        prompt: put before every text; the original's where no file names one.
        lower: whether texts are lower-cased first.
        readout: from the model's output to one vector for each text; ``None`` if nobody knows.
        tail: what follows.
        own: whether readout and tail are the folder's own, and not the original's.
        read: files that were read.
    """

    tokenizer: Any
    original: Original
    length: int | None
    prompt: str
    lower: bool
    readout: Recipe | None
    tail: Mapping[str, nn.Module]
    own: bool
    read: tuple[Path, ...]

    def tokenised(self, texts: Sequence[str]) -> list[Any]:
        """Encodings of texts, each by itself and without padding.

        Raises:
            EncoderError: there is no tokenizer, or it fails.
        """
        if self.tokenizer is None:
            raise EncoderError(f"no {TOKENIZER} beside the model", remedy="put it there")
        given = [self.prompt + (text.lower() if self.lower else text) for text in texts]
        with readable(Path(TOKENIZER), "used"):
            return [self.tokenizer.encode(text) for text in given]

    def ids(self, texts: Sequence[str]) -> list[list[int]] | None:
        """Token numbers of each text; ``None`` without a tokenizer."""
        return None if self.tokenizer is None else [list(found.ids) for found in self.tokenised(texts)]

    def settings(self) -> tuple[str, ...]:
        """Keys of the tokenizer's file that differ from the original's."""
        if self.tokenizer is None:
            return ()
        mine, theirs = (
            Behaviour({TOKENIZER: {key: said[key] for key in said if key not in _NOT_OBEYED}})
            for said in (
                pipeline_as_saved(SimpleNamespace(backend_tokenizer=self.tokenizer)),
                self.original.pipeline,
            )
        )
        return tuple(theirs.differences_to(mine).values())

    @property
    def padding(self) -> int:
        """The token number that fills up a batch."""
        return self.original.padding(self.tokenizer)

    def pooled(self, outputs: Mapping[str, Array], mask: Array) -> Array:
        """One embedding for each text.

        Args:
            outputs: what the model gives, by the names of transformers, float ``(n, positions, dim)`` each.
            mask: 1 where a position is a token, ``(n, positions)``.

        Raises:
            EncoderError: nobody knows how.
        """
        if self.readout is None:
            raise EncoderError(self.original.cannot_pool)
        named = {
            name: torch.from_numpy(np.asarray(array, dtype=np.float32)) for name, array in outputs.items()
        }
        with torch.inference_mode():
            embeddings = self.readout.head(SimpleNamespace(**named), torch.from_numpy(mask))
            for module in self.tail.values():
                embeddings = module(embeddings)
        found: Array = embeddings.double().numpy()
        return found

    @property
    def trusted(self) -> "Surroundings":
        """The same, but pooled and followed by what the original says, and not the folder."""
        return replace(self, readout=self.original.readout, tail=self.original.tail)

    def tail_tensors(self) -> Iterator[tuple[str, Array]]:
        """Weights of what follows the pooling, if they are the folder's own."""
        if self.own:
            for name, module in self.tail.items():
                for part, tensor in module.named_parameters():
                    yield f"{name}.{part}", tensor.detach().float().numpy()


def surroundings_of(encoder: TorchEncoder) -> Surroundings:
    """A trusted copy's own, for a model that is made of it here."""
    from tokenizers import Tokenizer

    original, length = of_copy(encoder), own_length(encoder)
    tokenizer = Tokenizer.from_str(encoder.processor.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=length)
    return Surroundings(
        tokenizer, original, length, original.prompt, False, original.readout, original.tail, True, ()
    )


def read_surroundings(model: Path, original: Original) -> Surroundings:
    """Read what is beside a model file, or in the folder above one that is named after a runtime.

    Args:
        model: the file.
        original: the encoder that was converted, whose pooling counts where the files name none.

    Raises:
        EncoderError: a file is damaged, or of a kind that is not known here.
    """
    folders = [model.parent, *([model.parent.parent] if model.parent.name in INNER else [])]
    root = next((folder for folder in folders if (folder / "modules.json").is_file()), None)
    tokenizer, read = None, []
    if where := next((folder for folder in folders if (folder / TOKENIZER).is_file()), None):
        tokenizer = read_tokenizer(where / TOKENIZER, original)
        read.append(where / TOKENIZER)
    if root is None:
        length = _stated_length(tokenizer, where)
        return Surroundings(
            tokenizer,
            original,
            length,
            original.prompt,
            False,
            original.readout,
            original.tail,
            False,
            tuple(read),
        )
    files_of(root)
    modules = read_sentence_modules(root)
    if modules is None:  # pragma: no cover  # there is one, as was just seen
        raise EncoderError(f"{root}: no modules.json")
    if modules.kind != "pooled" or modules.before:
        raise EncoderError(
            f"{root}: its modules do more than to pool what a file of another runtime gives",
            remedy="supported: Transformer, Pooling, and modules behind it",
        )
    read += [root / name for name in modules.behaviour.files if (root / name).is_file()]
    length = modules.max_seq_length or _stated_length(tokenizer, where)
    if tokenizer is not None and length is not None:
        tokenizer.enable_truncation(max_length=length)
    left_out = 0
    if modules.prompt and not modules.include_prompt and tokenizer is not None:
        left_out = len(tokenizer.encode(modules.prompt).ids) - 1  # without what ends a text
    config = SimpleNamespace(hidden_size=original.dimensions)  # of which only a width is made
    readout = sentence_recipe(config, modules.modes, left_out)
    return Surroundings(
        tokenizer,
        original,
        length,
        modules.prompt,
        modules.do_lower_case,
        readout,
        tail_of(modules),
        True,
        tuple(read),
    )


def vocabulary_differences(file: str, mine: Sequence[object], theirs: Sequence[str]) -> Iterator[str]:
    """The first word in which a runtime's own vocabulary differs from the original's, if it does.

    Args:
        file: what holds the vocabulary.
        mine: words by their numbers; there may be more of them.
        theirs: those of the original.
    """
    if len(mine) < len(theirs):
        yield f"{file}: {VOCABULARY}: {len(theirs)} words -> {len(mine)}"
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            yield f"{file}: {VOCABULARY}: word {place}: {quoted(other)} -> {quoted(str(one))}"
            return


def read_tokenizer(path: Path, original: Original) -> Any:
    """A tokenizer's file, read within bounds; nothing in it may cost more than the original's.

    Raises:
        EncoderError: it is damaged, or could take for ever.
    """
    from tokenizers import Tokenizer

    check_file(path)
    pipeline = read_json(path, dict)
    check_growth(path, pipeline)
    with readable(path, "read"):
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    steps = text_steps(SimpleNamespace(backend_tokenizer=tokenizer))
    if is_costly(steps) and not original.has_steps(steps):
        raise EncoderError(
            f"{path}: its steps differ from the original's, and it is not known what they cost to run",
            remedy="take the tokenizer of the original",
        )
    tokenizer.no_padding()
    return tokenizer


def _stated_length(tokenizer: Any, folder: Path | None) -> int | None:
    """Tokens at which a tokenizer cuts by its own files; it is set to do so."""
    if tokenizer is None or folder is None:
        return None
    if tokenizer.truncation is not None:
        return int(tokenizer.truncation["max_length"])
    config = folder / "tokenizer_config.json"
    check_file(config)
    length = read_json(config, dict).get("model_max_length") if config.is_file() else None
    if not isinstance(length, int | float) or not 0 < length <= LONGEST:
        return None
    tokenizer.enable_truncation(max_length=int(length))
    return int(length)


def padded(encodings: Sequence[Any], *, fill: int) -> dict[str, Array]:
    """Right-padded arrays of token numbers, mask and types, int64 ``(n, longest)``."""
    longest = max(len(found.ids) for found in encodings)
    shape = len(encodings), longest
    arrays = {
        "input_ids": np.full(shape, fill, dtype=np.int64),
        "attention_mask": np.zeros(shape, dtype=np.int64),
        "token_type_ids": np.zeros(shape, dtype=np.int64),
        "position_ids": np.tile(np.arange(longest, dtype=np.int64), (len(encodings), 1)),
    }
    for place, found in enumerate(encodings):
        size = len(found.ids)
        arrays["input_ids"][place, :size] = found.ids
        arrays["attention_mask"][place, :size] = found.attention_mask
        arrays["token_type_ids"][place, :size] = found.type_ids
    return arrays
