"""From what a user calls an encoder or a card to verified files in a folder on this machine."""

from hf_integration.snapshot.file_digests import digest_of_all, digests_of, in_order, needed_files
from hf_integration.snapshot.resolving import Snapshot, resolve
from hf_integration.snapshot.selection import (
    CHAT_TEMPLATES,
    MODULES,
    MOST_LOOKED_AT,
    encoder_files,
    folders_read,
    local_names,
    module_folders,
    not_covered_among,
    refuse_other_formats,
)

__all__ = [
    "CHAT_TEMPLATES",
    "MODULES",
    "MOST_LOOKED_AT",
    "Snapshot",
    "digest_of_all",
    "digests_of",
    "encoder_files",
    "folders_read",
    "in_order",
    "local_names",
    "module_folders",
    "needed_files",
    "not_covered_among",
    "refuse_other_formats",
    "resolve",
]
