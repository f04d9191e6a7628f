"""Bundles: an encoder, its card, a signer's key and its pin in one folder that needs no network."""

from hf_integration.bundle.layout import CARD, ENCODER, PINS, SIGNER
from hf_integration.bundle.making import Bundled, BundleRequest, make_bundle

__all__ = ["CARD", "ENCODER", "PINS", "SIGNER", "BundleRequest", "Bundled", "make_bundle"]
