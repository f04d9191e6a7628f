"""Figures of the documentation: each prints its table and says when a figure falls short of its goal."""
