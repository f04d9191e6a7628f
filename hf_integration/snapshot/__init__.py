"""From what a user calls an encoder or a card to a folder on this machine."""

from hf_integration.snapshot.resolving import ENCODER_FILES, Snapshot, resolve

__all__ = ["ENCODER_FILES", "Snapshot", "resolve"]
