"""Arguments that name an entry of the ``sslauth.toml`` in the current directory."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin, Pins


def find_pin(argument: str, streams: Streams) -> "Pin | None":
    """The entry that an argument means by its name, its repo id or its folder, and say so.

    Raises:
        UsageError: there is an ``sslauth.toml`` that cannot be read, or several entries are meant.
    """
    from hf_integration.checking.pins import pins_in

    pins = pins_in(Path())
    return None if pins is None else _said(pins.find(argument, base=Path()), argument, pins, streams)


def named_pin(argument: str, streams: Streams) -> "Pin | None":
    """The entry of exactly this name: for commands that must reach what is not pinned as well.

    Raises:
        UsageError: there is an ``sslauth.toml`` that cannot be read.
    """
    from hf_integration.checking.pins import pins_in

    pins = pins_in(Path())
    return None if pins is None else _said(pins.encoders.get(argument), argument, pins, streams)


def _said(pin: "Pin | None", argument: str, pins: "Pins", streams: Streams) -> "Pin | None":
    if pin is not None:
        streams.say(f"found {pin}")
    elif "/" not in argument and not os.path.lexists(
        argument
    ):  # a name, if it is to be more than a typing error
        streams.say(
            f"'{argument}' is not in {pins.file.name}; there are: {', '.join(pins.encoders) or 'none'}"
        )
    return pin
