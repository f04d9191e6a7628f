"""Known containers around a transformers model in memory: taken off, or refused with the reason.

They are recognised by the names of their classes, so that none of their libraries has to be installed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from hf_integration.errors import EncoderError

_PROCESSORS = ("tokenizer", "image_processor", "feature_extractor", "processor")


@dataclass(frozen=True)
class Contents:
    """What a container holds.

    Attributes:
        module: the transformers model.
        processor: what prepares raw samples for it.
        sentence: the sentence-transformers object, whose pooling and prompts count, if it is one.
        said: what was taken off and is not checked as it runs, in words.
    """

    module: Any
    processor: Any
    sentence: Any = None
    said: tuple[str, ...] = ()


def open_container(subject: Any, processor: Any) -> Contents:
    """Take the model out of whatever it is wrapped in.

    Args:
        subject: what the caller holds.
        processor: what the caller gave besides, or ``None``.

    Raises:
        EncoderError: a container whose outputs are not those of the model in it.
    """
    said: list[str] = []
    sentence = None
    for _ in range(8):  # containers in containers
        refuse_adapters(subject)
        if _is(subject, "OptimizedModule", "torch."):
            subject = subject._orig_mod
            said.append("compiled by torch.compile: the module below was checked as it runs uncompiled")
        elif _is(subject, ("DataParallel", "DistributedDataParallel"), "torch."):
            subject = subject.module
        elif _is(subject, "Pipeline", "transformers."):
            processor = processor or _first(subject, _PROCESSORS)
            subject = subject.model
        elif _is(subject, "CrossEncoder", "sentence_transformers."):
            processor = processor or _first(subject, _PROCESSORS)
            subject = subject.model
            said.append(
                "a cross-encoder: the encoder below its head was run, and the head's tensors compared"
            )
        elif _is(subject, "SentenceTransformer", "sentence_transformers."):
            sentence, subject = subject, _transformer(subject)
            processor = processor or sentence.tokenizer
        else:
            return Contents(subject, processor, sentence, tuple(said))
    raise EncoderError(f"{type(subject).__name__}: containers in containers without end")


def refuse_adapters(subject: Any) -> None:
    """Refuse a model with adapters that are not merged: what they add is in no card.

    Raises:
        EncoderError: it has some; says which.
    """
    if not isinstance(subject, nn.Module):
        return
    found = [name for name, module in subject.named_modules() if type(module).__module__.startswith("peft.")]
    if not found:
        return
    names = getattr(subject, "peft_config", None)
    which = f" ({', '.join(map(str, names))})" if isinstance(names, Mapping) and names else ""
    place = found[0] or "the model"
    raise EncoderError(
        f"{type(subject).__name__} holds adapters{which} that are not merged, first at '{place}'",
        remedy="merge them with merge_and_unload(), or check the model without them",
    )


def _is(subject: Any, names: str | tuple[str, ...], package: str) -> bool:
    wanted = (names,) if isinstance(names, str) else names
    return any(
        kind.__name__ in wanted and kind.__module__.startswith(package) for kind in type(subject).__mro__
    )


def _first(subject: Any, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := getattr(subject, name, None)) is not None), None)


def _transformer(sentence: Any) -> Any:
    """The transformers model of a sentence-transformers object.

    Raises:
        EncoderError: it begins with something else.
    """
    first = next(iter(sentence.children()), None)
    model = getattr(first, "auto_model", None)
    if model is None:
        raise EncoderError(
            f"SentenceTransformer around {type(first).__name__}, which is no transformers model",
            remedy="supported: Transformer, Pooling, then any of Dense and Normalize",
        )
    return model
