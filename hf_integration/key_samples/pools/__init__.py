"""Pools: where key samples come from when they are not synthetic."""
