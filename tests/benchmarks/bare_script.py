"""What a user would write without this package: load the model, run the same samples in float64.

``python -m tests.benchmarks.bare_script MODALITY FOLDER SAMPLES``. Nothing of ours is
imported, so that the script pays for torch and transformers alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

BATCH = 8


@torch.inference_mode()
def texts(folder: str, samples: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval().double()
    found = sorted(json.loads(Path(samples).read_text()), key=len)
    for start in range(0, len(found), BATCH):
        some = found[start : start + BATCH]
        batch = tokenizer(some, padding=True, truncation=True, max_length=256, return_tensors="pt")
        states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        F.normalize((states * mask).sum(1) / mask.sum(1))


@torch.inference_mode()
def images(folder: str, samples: str) -> None:
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModel.from_pretrained(folder).eval().double()
    with np.load(samples) as archive:
        found = [archive[name] for name in archive.files]
    for start in range(0, len(found), BATCH):
        pixels = processor(found[start : start + BATCH], return_tensors="pt")["pixel_values"]
        F.normalize(model(pixel_values=pixels.double()).pooler_output.flatten(1))


@torch.inference_mode()
def waveforms(folder: str, samples: str) -> None:
    from transformers import AutoFeatureExtractor, WhisperModel

    extractor = AutoFeatureExtractor.from_pretrained(folder)
    model = WhisperModel.from_pretrained(folder).get_encoder().eval().double()
    with np.load(samples) as archive:
        found = [archive[name].astype(np.float32) / 32768 for name in archive.files]
    for start in range(0, len(found), BATCH):
        some = found[start : start + BATCH]
        features = extractor(some, sampling_rate=16000, return_tensors="pt").input_features
        states = model(features.double()).last_hidden_state
        F.normalize(
            torch.stack([s[: len(wave) // 320].mean(0) for s, wave in zip(states, some, strict=True)])
        )


if __name__ == "__main__":
    {"text": texts, "image": images, "audio": waveforms}[sys.argv[1]](*sys.argv[2:])
