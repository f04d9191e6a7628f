"""Baselines: whether an endpoint answers as it did, where nobody but its provider has the encoder."""
