"""Another processor architecture: a card that was minted on this one, checked on an emulated 64-bit ARM."""
