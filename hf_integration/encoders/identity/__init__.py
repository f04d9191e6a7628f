"""Which encoder is this? Everything of a folder and of its weight files that a loader could use, as values."""
