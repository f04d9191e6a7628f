"""Key samples: the raw inputs of a watermark card."""
