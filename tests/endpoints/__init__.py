"""Embedding servers over real HTTP, asked by the real client."""
