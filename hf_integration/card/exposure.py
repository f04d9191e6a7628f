"""Whether a private card lies where others than its owner may read it."""

import os
import shlex
import stat
from pathlib import Path

from hf_integration.card.card import WatermarkCard
from hf_integration.card.schema import CARD_FILE


def exposure(card: WatermarkCard) -> str:
    """What to say of a private card whose file modes let others read it; empty where there is nothing to say.

    Args:
        card: read from a folder.
    """
    folder = Path(card.location)
    if not card.secret or os.name != "posix":
        return ""
    try:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / CARD_FILE)]
    except OSError:
        return ""
    if not all(mode & 0o077 for mode in modes):
        return ""
    return f"the card is private, but others may read it: chmod -R go= {shlex.quote(str(folder))}"
