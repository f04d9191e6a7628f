"""Known containers around a transformers model in memory: taken off, or refused with the reason.

They are recognised by the names of their classes, so that none of their libraries has to be installed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.identity.provenance import is_of_library
from hf_integration.encoders.modalities.static import model_of
from hf_integration.encoders.sentence_objects import cross_encoder_flow, gives_scores, sentence_flow
from hf_integration.encoders.sentence_parts import first_of

_PROCESSORS = ("tokenizer", "image_processor", "feature_extractor", "processor")
_SENTENCES = "sentence_transformers"
_WITH_MODULES = ("SentenceTransformer", "SparseEncoder", "MultiVectorEncoder")
# package and class -> why no encoder can be taken out of it
_REFUSED = {
    ("torch", "FullyShardedDataParallel"): "holds a part of the weights in every process",
    ("torch", "FSDPModule"): "holds a part of the weights in every process",
}


@dataclass(frozen=True)
class Contents:
    """What a container holds.

    Attributes:
        module: the transformers model.
        processor: what prepares raw samples for it.
        sentence: the sentence-transformers object, whose modules and prompts count, if it is one.
        around: all that was taken off, the outermost first.
        compiled: the outermost compiled module among these.
        said: what is to be said of it.
    """

    module: Any
    processor: Any
    sentence: Any = None
    around: tuple[Any, ...] = ()
    compiled: Any = None
    said: tuple[Finding, ...] = ()


def open_container(subject: Any, processor: Any) -> Contents:
    """Take the model out of whatever it is wrapped in.

    Args:
        subject: what the caller holds.
        processor: what the caller gave besides, or ``None``.

    Raises:
        EncoderError: a container whose outputs are not those of the model in it.
    """
    around: list[Any] = []
    said: list[Finding] = []
    sentence = compiled = None
    while True:
        if any(subject is outer for outer in around):
            raise EncoderError(f"{type(subject).__name__} holds itself")
        _refuse(subject)
        outer = subject
        if _is(outer, "torch", "OptimizedModule"):
            compiled = outer if compiled is None else compiled
            subject = outer._orig_mod
        elif _is(outer, "torch", "DataParallel", "DistributedDataParallel"):
            subject = outer.module
        elif _is(outer, "transformers", "Pipeline"):
            processor = _own_processor(outer, processor)
            subject = outer.model
            said += _call_parameters(outer)
        elif _is(outer, _SENTENCES, "CrossEncoder"):
            processor = _own_processor(outer, processor)
            if gives_scores(outer):
                sentence, subject = outer, _transformer(outer)
                said += sentence_flow(outer)
            else:
                subject = outer.model
                what = "a cross-encoder: the encoder below its head was run, and the head's tensors compared"
                said += [Finding(what), *cross_encoder_flow(outer)]
        elif _is(outer, _SENTENCES, *_WITH_MODULES):
            processor = _own_processor(outer, processor)
            sentence, subject = outer, _transformer(outer)
            said += sentence_flow(outer)
        else:
            return Contents(subject, processor, sentence, tuple(around), compiled, tuple(said))
        around.append(outer)


def _refuse(subject: Any) -> None:
    """Refuse what no encoder can be taken out of, and adapters: what they add is in no card.

    Raises:
        EncoderError: it is such a thing; says why.
    """
    for (package, name), reason in _REFUSED.items():
        if _below(subject, package, name):
            raise EncoderError(f"{type(subject).__name__} {reason}", remedy="give the model itself")
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
        remedy="give what merge_and_unload() returns, or the model without them, what unload() returns",
    )


def _is(subject: Any, package: str, *names: str) -> bool:
    """Whether it is a container of a library, by its class.

    Raises:
        EncoderError: it is of a class of its own below that.
    """
    kind = type(subject)
    if not _below(subject, package, *names):
        return False
    if not is_of_library(kind, package):
        plain = next(base.__name__ for base in kind.__mro__ if is_of_library(base, package))
        raise of_its_own(kind, plain, remedy=f"give a plain {plain} or the model inside, or check its folder")
    return True


def of_its_own(kind: type, plain: str, *, remedy: str) -> EncoderError:
    """The refusal of a class that somebody derived from a library's: it may compute anything."""
    return EncoderError(
        f"{kind.__name__} is a class of your own, which may embed differently from the {plain} below it",
        remedy=remedy,
    )


def _below(subject: Any, package: str, *names: str) -> bool:
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == package
        for kind in type(subject).__mro__
    )


def _call_parameters(pipeline: Any) -> Iterator[Finding]:
    """What a pipeline was told to do at each call, besides what its class does by itself."""
    usual = type(pipeline)._sanitize_parameters(pipeline)
    for step, plain in zip(("preprocess", "forward", "postprocess"), usual, strict=True):
        given = getattr(pipeline, f"_{step}_params")
        if given != plain:
            names = ", ".join(map(str, given)) or "nothing"
            what = f"the pipeline's {step} was given other parameters than its class sets: {names}"
            yield Finding(what, "make the pipeline without them")


def _own_processor(container: Any, given: Any) -> Any:
    """The container's, which is what its users run.

    Raises:
        EncoderError: the caller gave another one.
    """
    parts = [part for name in _PROCESSORS if (part := getattr(container, name, None)) is not None]
    if given is not None and not any(given is part for part in parts):
        raise EncoderError(
            f"processor= is another one than the {type(container).__name__} runs", remedy="leave it out"
        )
    own = getattr(container, "processor", None)
    if own is None and _below(container, _SENTENCES, *_WITH_MODULES):
        first = first_of(container)  # a Router has the tokenizer of whichever route comes first
        return getattr(first, "processor", None)
    if parts == [own] or (own is not None and _below(container, _SENTENCES, type(container).__name__)):
        return own
    return container if parts else None  # it holds a part for each modality, as a processor does


def _transformer(sentence: Any) -> Any:
    """The transformers model of a sentence-transformers object, or the table of a static one.

    Raises:
        EncoderError: it begins with something else, or runs elsewhere than in torch.
    """
    first = first_of(sentence)
    if isinstance(first, nn.Module) and _is(first, _SENTENCES, "StaticEmbedding"):
        return model_of(first.embedding)  # type: ignore[arg-type]  # it is looked at there
    model = getattr(first, "auto_model", None)
    if not isinstance(model, nn.Module):
        what = type(first).__name__ if model is None else type(model).__name__
        raise EncoderError(
            f"{type(sentence).__name__} around {what}, which is no transformers model in torch",
            remedy="supported: a Transformer, a StaticEmbedding, or a Router of such",
        )
    return model
