"""Stamps: a small public value beside a vector index, that tells which encoder its vectors are of."""
