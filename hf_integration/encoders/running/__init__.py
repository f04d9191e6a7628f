"""Running an encoder: devices, precisions, batches, strips."""
