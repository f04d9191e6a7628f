"""Loading: what a process loads encoders by, seen and held against pins while it happens.

Functions of other libraries are wrapped, each once its library is imported, and put back afterwards. Two use
that: an observer that lists what was loaded, and enforcement, which refuses what is not as it is pinned.
"""
