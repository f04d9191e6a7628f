"""Figures of the README: each prints its table and says when a figure falls short of its goal."""
