"""What becomes of a check when the Hub, the network, the disk or the process fails, or somebody lies."""
