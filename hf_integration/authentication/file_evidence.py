"""Evidence of the files: what they say, and what the loaded objects obey, against the card's record."""

from collections.abc import Callable, Collection

from hf_integration.authentication.environment import library_versions
from hf_integration.card import WatermarkCard
from hf_integration.encoders.behaviour import Behaviour, behaviour_differences
from hf_integration.encoders.canonical import canonical
from hf_integration.encoders.configuration_behaviour import DEFAULTS_SUFFIX
from hf_integration.encoders.identity.folder_comparison import compare_folders
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.pipeline_growth import TEXT_STEPS, is_costly, text_steps
from hf_integration.encoders.tokenizer_behaviour import EFFECTIVE
from hf_integration.verdict import FileEvidence

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
    effective = behaviour_differences(recorded, behaviour)
    if encoder.folder is None:
        changed = tuple(effective.values())
        return FileEvidence(len(behaviour), changed=changed, not_covered=encoder.not_covered)
    found = compare_folders(
        folder,
        encoder.folder,
        same=_same(effective.keys()),
        defaults=behaviour.get("config.json" + DEFAULTS_SUFFIX),
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


def why_not_run(encoder: Encoder, card: WatermarkCard) -> str:
    """Why no text may go through an encoder's tokenizer; empty where it may.

    What the card recorded was run when it was minted. Other steps make the verdict by being others, so they
    are run for the diagnosis alone, and only where their cost is known.
    """
    if encoder.modality != "text":
        return ""
    if not is_costly(text_steps(encoder.processor)):
        return ""
    was, now = (behaviour.get(EFFECTIVE, {}) for behaviour in (card.behaviour, encoder.behaviour()))
    differing = [part for part in TEXT_STEPS if canonical(was.get(part)) != canonical(now.get(part))]
    if not differing:
        return ""
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
