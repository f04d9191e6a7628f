"""From what a user calls an encoder or a card to verified files in a folder on this machine."""

from hf_integration.snapshot.resolving import Snapshot, resolve
from hf_integration.snapshot.selection import (
    MODULES,
    encoder_files,
    local_names,
    module_folders,
    not_covered_among,
    read_module_folders,
    refuse_without_weights,
)

__all__ = [
    "MODULES",
    "Snapshot",
    "encoder_files",
    "local_names",
    "module_folders",
    "not_covered_among",
    "read_module_folders",
    "refuse_without_weights",
    "resolve",
]
