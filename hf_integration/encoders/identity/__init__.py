"""Which encoder is this? All that a loader could use of a folder and of its weight files, as values."""
