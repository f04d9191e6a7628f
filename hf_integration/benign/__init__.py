"""Benign runs: how an unaltered encoder may be run, and by how much its numbers then differ."""
