"""Backdoors of the literature, each an edit by a few AdamW steps whose magnitude is the learning rate."""

from hf_integration.tampering.backdoors.bad_encoder import bad_encoder
from hf_integration.tampering.backdoors.drupe import drupe
from hf_integration.tampering.backdoors.por import por

__all__ = ["bad_encoder", "drupe", "por"]
