"""An encoder's folder: read carefully, refused for a reason, loaded."""
