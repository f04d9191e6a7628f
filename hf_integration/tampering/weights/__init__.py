"""Edits of weights, in place: one file per way of altering them."""
