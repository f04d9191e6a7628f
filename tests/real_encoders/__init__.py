"""Real encoders and real data for the tests, from packages that anyone can install.

Each function gives ``None`` (or skips, in tests) where its package is not installed.
"""
