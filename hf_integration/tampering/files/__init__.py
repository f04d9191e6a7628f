"""Edits of the files beside the weights, each loaded again from a folder as its users would."""
