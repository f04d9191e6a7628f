"""Converted encoders: files of other runtimes, run as their users run them, and held against a trusted copy."""
