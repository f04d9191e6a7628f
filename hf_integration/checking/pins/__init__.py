"""``sslauth.toml``: names for encoders, what they are pinned to, and the alterations that were accepted."""

from hf_integration.checking.pins.pin import Pin, Waiver
from hf_integration.checking.pins.reading import PINS_FILE, Pins, line_of, pins_in, read_pins

__all__ = ["PINS_FILE", "Pin", "Pins", "Waiver", "line_of", "pins_in", "read_pins"]
