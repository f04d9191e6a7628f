"""Minting: from an encoder that is trusted to the watermark card that others check it with."""

from hf_integration.minting.minter import mint

__all__ = ["mint"]
