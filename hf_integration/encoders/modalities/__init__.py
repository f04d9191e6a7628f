"""From raw samples to one embedding: preparation, pooling, families of encoders."""
