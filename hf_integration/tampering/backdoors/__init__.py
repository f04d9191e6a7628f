"""Backdoors of the literature, each an edit by a few AdamW steps whose magnitude is the learning rate."""
