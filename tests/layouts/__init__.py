"""Tiny encoders in the layouts of the most used ones, and every edit of their folders, by rule."""
