"""Converted encoders: files of other runtimes, run as their users run them, against a copy or a card."""
