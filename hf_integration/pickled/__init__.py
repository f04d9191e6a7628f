"""Pickled weights: read once, in a process that may do nothing else, and written as safetensors."""
