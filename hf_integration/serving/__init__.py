"""Deployed encoders: what a deployment does to an encoder, and whether its answers are that encoder's."""
