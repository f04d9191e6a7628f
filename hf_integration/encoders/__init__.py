"""Encoders: raw samples in, embeddings and strips out."""
