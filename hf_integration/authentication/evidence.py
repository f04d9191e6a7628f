"""Digests as evidence: tensors and files of an encoder against those that its card recorded."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from hf_integration.authentication.outside_evidence import outside_digests, outside_evidence
from hf_integration.authentication.references import library_versions, other_kind, strips_not_run
from hf_integration.base.vocabulary import Weights, weights_in
from hf_integration.card import WatermarkCard
from hf_integration.encoders.files.json_values import canonical
from hf_integration.encoders.identity.behaviour import EFFECTIVE, Behaviour
from hf_integration.encoders.identity.folder_comparison import compare_folders
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.identity.other_routes import of_other_routes
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.modalities.pipeline_growth import TEXT_STEPS, is_costly, text_steps
from hf_integration.encoders.running.devices import keep_freed_memory
from hf_integration.verdict import MIXED, FileEvidence, TensorEvidence

Fits = Mapping[str, frozenset[Weights]]
"""Tensor -> the recorded weights that it equals: several where rounding changes nothing, as of ones."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """An encoder's tensors and files against those of a card.

    Attributes:
        tensors: what came of the tensors, those outside the embedding path included.
        files: what came of the files.
        weights: which recorded weights the encoder holds.
        other_kind: how the kind of encoder differs from the card's, if it does.
        digests: of the tensors.
        outside: digests of those outside the embedding path.
    """

    tensors: TensorEvidence
    files: FileEvidence
    weights: Weights
    other_kind: str | None
    digests: Mapping[str, bytes]
    outside: Mapping[str, bytes]

    def state_of(self, encoder: Encoder, code: Collection[str]) -> str | None:
        """What :func:`state_of` gives of the encoder that was compared; a hand-over to a test needs none."""
        return state_of(encoder, self.digests, self.outside, code)


def compare(encoder: Encoder, card: WatermarkCard) -> Comparison:
    """Compare everything of an encoder that a card has a digest or a record of."""
    keep_freed_memory()
    with ThreadPoolExecutor(1) as beside:
        hashing = beside.submit(loaded_digests, encoder)
        files = file_evidence(encoder, card)
        digests = hashing.result()
    held = outside_digests(encoder)
    outside = outside_evidence(encoder, card, digests, held)
    return Comparison(
        tensors=replace(compared_digests(encoder, card, digests), outside=outside.changed),
        files=replace(
            files,
            notes=(*files.notes, *outside.notes),
            not_covered=(*files.not_covered, *strips_not_run(card, encoder)),
        ),
        weights=weights_of(encoder, card, digests),
        other_kind=other_kind(encoder, card),
        digests=digests,
        outside=held,
    )


def loaded_digests(encoder: Encoder) -> dict[str, bytes]:
    """Digests of the loaded tensors by name; none for an encoder that can only be queried."""
    return digest_tensors(encoder.tensors()) if encoder.has_weights else {}


def compared_digests(encoder: Encoder, card: WatermarkCard, found: Mapping[str, bytes]) -> TensorEvidence:
    """Compare digests of loaded tensors with those that the card recorded.

    Values are compared, not bytes of files: another file layout, other names chosen by the library or a
    recorded cast to half precision are the same encoder. Each tensor is judged alone: copies in half
    precision often keep some, such as norms, as they were.

    Args:
        encoder: the encoder that was loaded.
        card: the card.
        found: what :func:`loaded_digests` gave of the encoder.
    """
    if not encoder.has_weights:
        return TensorEvidence(checked=0)
    stored, fits = card.digests["stored"], _fits(card, found)
    changed = tuple(name for name, fitting in fits.items() if not fitting)
    missing = tuple(name for name in stored if name not in found)
    unexpected = tuple(name for name in found if name not in stored)
    if changed or missing or unexpected:
        return TensorEvidence(len(found), changed, missing, unexpected)
    matches = _explaining(fits, ["stored", *_casts(card, fits)])
    kept = sum(matches not in fitting for fitting in fits.values()) if matches else 0
    return TensorEvidence(checked=len(found), matches=matches or MIXED, kept=kept)


def weights_of(encoder: Encoder, card: WatermarkCard, found: Mapping[str, bytes]) -> Weights:
    """Which recorded weights this encoder claims to hold, whole or in part.

    The tensors that match something decide, and where they leave it open the dtype does: an altered float16
    copy is held against the float16 cast, so that only the alteration shows.

    Args:
        encoder: the encoder that was loaded.
        card: the card.
        found: what :func:`loaded_digests` gave of the encoder.
    """
    loaded, fits = weights_in(encoder.description.stored_dtype), _fits(card, found)
    claimed: Weights = loaded if loaded in card.digests else "stored"
    return _explaining(fits, [claimed, "stored", *_casts(card, fits)]) or claimed


def _fits(card: WatermarkCard, found: Mapping[str, bytes]) -> Fits:
    return {
        name: frozenset(weights for weights, recorded in card.digests.items() if recorded[name] == digest)
        for name, digest in found.items()
        if name in card.digests["stored"]
    }


def _casts(card: WatermarkCard, fits: Fits) -> list[Weights]:
    """The recorded casts, first the one that most tensors are rounded to."""
    casts = [weights for weights in card.digests if weights != "stored"]
    return sorted(casts, key=lambda cast: sum(cast not in fitting for fitting in fits.values()))


def _explaining(fits: Fits, candidates: Iterable[Weights]) -> Weights | None:
    """The first weights that all tensors which match anything hold: rounded so, or as they were stored."""
    matching = [fitting for fitting in fits.values() if fitting]
    return next((cast for cast in candidates if all({cast, "stored"} & fit for fit in matching)), None)


READING = ("transformers", "tokenizers", "numpy", "pillow")
"""Libraries that make something of a file."""


def file_evidence(encoder: Encoder, card: WatermarkCard) -> FileEvidence:
    """Compare files and effective behaviour with the card's, file by file and key by key."""
    return compared_files(encoder, card.behaviour, card.folder, libraries=other_libraries(card))


def compared_files(
    encoder: Encoder, recorded: Behaviour, folder: FolderRecord, *, libraries: tuple[str, ...] = ()
) -> FileEvidence:
    """Compare files and effective behaviour with a record of them.

    An effective value that differs although every file is equal was made so by another version of a library.
    Where the versions are the same, somebody changed the loaded object.

    Args:
        encoder: the encoder that is checked.
        recorded: what the loaded objects obeyed.
        folder: what the files said.
        libraries: those that have another version now.
    """
    behaviour = encoder.behaviour()
    effective = recorded.differences_to(behaviour)
    if encoder.folder is None:
        changed = tuple(effective.values())
        # counted as a card records them: with the defaults
        return FileEvidence(len(behaviour.to_record()), changed=changed, not_covered=encoder.not_covered)
    found = compare_folders(
        folder,
        encoder.folder,
        apart=of_other_routes((folder, recorded), (encoder.folder, behaviour)),
        same=_same(effective.keys()),
        defaults=behaviour.defaults.get("config.json"),
        headless=encoder.stored.headless,
    )
    rest = tuple(line for key, line in effective.items() if key not in found.touched)
    derived = rest if found.equal and libraries else ()
    return FileEvidence(
        checked=len(encoder.folder.files),
        changed=found.changed if derived else (*found.changed, *rest),
        not_covered=encoder.folder.unread(),
        derived=derived,
        notes=found.notes,
    )


def why_not_run(encoder: Encoder, card: WatermarkCard) -> str | None:
    """Why no text may go through an encoder's tokenizer, if it may not.

    What the card recorded was run when it was minted. Other steps make the verdict by being others, so they
    are run for the diagnosis alone, and only where their cost is known.
    """
    if encoder.modality != "text" or not is_costly(text_steps(encoder.processor)):
        return None
    was, now = (behaviour.get(EFFECTIVE) for behaviour in (card.behaviour, encoder.behaviour()))
    differing = [part for part in TEXT_STEPS if canonical(was.get(part)) != canonical(now.get(part))]
    if not differing:
        return None
    return f"the {' and '.join(differing)} differs from the card's, and it is not known what it costs to run"


def other_libraries(card: WatermarkCard) -> tuple[str, ...]:
    """Libraries that read files whose version is another one now: ``transformers 5.23.0 -> 5.24.0``."""
    now = library_versions()
    return tuple(
        f"{name} {card.libraries[name]} -> {now[name]}"
        for name in READING
        if card.libraries.get(name) not in (None, now[name])
    )


def _same(differing: Collection[tuple[str, str]]) -> Callable[[str], bool]:
    """Whether what a file sets is in effect as before, where several files may set the same."""
    files = {file for file, _ in differing}
    processors = {file for file in files if file.endswith("processor_config.json")}

    def same(file: str) -> bool:
        if file.endswith("processor_config.json"):
            return not processors
        return not files - processors - {"config.json"}

    return same


def state_of(
    encoder: Encoder, digests: Mapping[str, bytes], outside: Mapping[str, bytes], code: Collection[str]
) -> str | None:
    """``sha256:…`` over all that a check compares: tensors, behaviour, and code found on the model.

    Independent of file layout and of defaults that a newer library adds.

    Args:
        encoder: the encoder.
        digests: of its tensors.
        outside: of those that the embedding does not use.
        code: what :meth:`Encoder.in_process_changes` gave after its last run.

    Returns:
        The digest, or ``None`` for an encoder without tensors: what can only be queried has no state
        that could be told from another.
    """
    if not encoder.has_weights:
        return None
    described = encoder.description
    state = {
        "kind": [described.modality, described.architecture, described.embedding_dim, described.pooling],
        "tensors": {name: digest.hex() for name, digest in digests.items()},
        "outside": {name: digest.hex() for name, digest in outside.items()},
        "behaviour": encoder.behaviour().spoken(),
        "files": {} if encoder.folder is None else Behaviour(encoder.folder.files).spoken(),
        "code": sorted(code),
    }
    return f"sha256:{hashlib.sha256(canonical(state).encode()).hexdigest()}"
