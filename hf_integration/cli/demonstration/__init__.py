"""The demonstration: the main job on a real encoder, from minting to a test suite that catches a backdoor."""

from hf_integration.cli.demonstration.project import default_encoder
from hf_integration.cli.demonstration.stages import demonstrate

__all__ = ["default_encoder", "demonstrate"]
