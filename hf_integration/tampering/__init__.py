"""Tampering: altering a copy of an encoder the way an attacker would, to see it caught."""

from hf_integration.tampering.backdoor import Backdoor, Effect
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.saving import save_altered

__all__ = ["Backdoor", "Effect", "Tampering", "save_altered"]
