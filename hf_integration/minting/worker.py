"""The other process of :mod:`hf_integration.minting.instruction_sets`: one job in, sketches out."""

import base64
import json
import sys
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.encoders import open_encoder
from hf_integration.key_samples.encoding import decode_sample


def main(job_file: str) -> None:
    """Run the job that a minting process wrote into its own temporary folder."""
    job = json.loads(Path(job_file).read_text())
    folder = Path(job["encoder"])
    encoder = open_encoder(folder, name=folder.name, modality=job["modality"], device="cpu")
    if job["never_padded"]:
        encoder.never_pad()
    samples = [decode_sample(job["modality"], base64.b64decode(blob)) for blob in job["key_samples"]]
    result: dict[str, Tensor] = {}
    for weights, precision, batch_size, keys in job["runs"]:
        running = encoder.at_precision(precision, weights=weights)
        sketches = observe_sketches(running, samples[:keys], seed=job["seed"], batch_size=batch_size)
        for strip, sketched in sketches.items():
            result[f"{weights}.{precision}/{strip}"] = sketched.contiguous()
    save_file(result, job["result"])


if __name__ == "__main__":
    main(sys.argv[1])
