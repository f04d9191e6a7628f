"""Embeddings as the library documents them, by transformers alone and one sample at a time, in float64."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from torch import Tensor

from hf_integration.encoders.files.loading import silent_transformers
from tests.zoo.layout import Layout
from tests.zoo.timm_models import TIMM, embedded_by_timm


def _forward(model: Any, inputs: Mapping[str, Any]) -> Any:
    return model(**inputs)


def _mean(model: Any, inputs: Mapping[str, Any]) -> Any:
    states, mask = _forward(model, inputs).last_hidden_state, inputs.get("attention_mask")
    if mask is None or mask.shape[1] != states.shape[1]:
        return states.mean(1)
    return (states * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True)


def _in_order(model: Any, inputs: Mapping[str, Any]) -> Any:
    """ViT-MAE without masking: the order of the patches is the noise's."""
    noise = torch.arange(model.embeddings.patch_embeddings.num_patches)[None].double()
    return _forward(model, {**inputs, "noise": noise}).last_hidden_state[:, 0]


USES: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "mean": _mean,
    "encoder mean": lambda model, inputs: _mean(model.get_encoder(), inputs),
    "pooler": lambda model, inputs: _forward(model, inputs).pooler_output.flatten(1),
    "class token": lambda model, inputs: _forward(model, inputs).last_hidden_state[:, 0],
    "map": lambda model, inputs: _forward(model, inputs).last_hidden_state.mean((2, 3)),
    "text features": lambda model, inputs: model.get_text_features(**inputs).pooler_output,
    "image features": lambda model, inputs: model.get_image_features(**inputs).pooler_output,
    "audio features": lambda model, inputs: model.get_audio_features(**inputs).pooler_output,
    "text_embeds": lambda model, inputs: _forward(model, inputs).text_embeds,
    "audio_embeds": lambda model, inputs: _forward(model, inputs).audio_embeds,
    "image_embeds": lambda model, inputs: _forward(model, inputs).image_embeds,
    "patches in order": _in_order,
}
METHODS = {f"{kind} features": f"get_{kind}_features" for kind in ("text", "image", "audio")}
SENTENCES = "sentences"
SECONDS_WITH_SOUND = "frames with sound"


@torch.inference_mode()
def documented(layout: Layout, folder: Path, samples: list[Any]) -> Tensor:
    """One row for each sample."""
    if layout.use == SENTENCES:
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(str(folder), device="cpu").double()
        rows = [whole.encode([text], convert_to_tensor=True) for text in samples]
        return torch.cat(rows)
    if layout.use == TIMM:
        return embedded_by_timm(folder, samples)
    with silent_transformers():
        model = getattr(hf, layout.loads).from_pretrained(folder, dtype=torch.float32, **layout.options)
        model = model.double().eval()
        rows = [_row(layout, folder, model, sample) for sample in samples]
    return torch.cat(rows)


def in_memory(layout: Layout, folder: Path) -> tuple[Any, Any]:
    """Model and processor as a user of transformers loads them."""
    auto = {"text": hf.AutoTokenizer, "image": hf.AutoImageProcessor, "audio": hf.AutoFeatureExtractor}
    backend = {"backend": "pil"} if layout.modality == "image" else {}
    with silent_transformers():
        model = getattr(hf, layout.loads).from_pretrained(folder, **layout.options)
        return model, auto[layout.modality].from_pretrained(folder, **backend)


def _row(layout: Layout, folder: Path, model: Any, sample: Any) -> Any:
    inputs = inputs_of(layout, folder, sample)
    if layout.use == SECONDS_WITH_SOUND:  # Whisper fills every recording up
        frames = len(sample.samples) // 320
        return model.get_encoder()(inputs["input_features"]).last_hidden_state[:, :frames].mean(1)
    part = model.get_encoder() if layout.use == "encoder mean" else model
    called = getattr(part, METHODS.get(layout.use, "forward"))
    taken = inspect.signature(called).parameters
    given = {name: value for name, value in inputs.items() if name in taken}
    return USES[layout.use](model, given)


def inputs_of(layout: Layout, folder: Path, sample: Any) -> dict[str, Tensor]:
    """What the library's own processor makes of one sample, floating numbers in float64."""
    if layout.modality == "text":
        padding: dict[str, Any] = {"padding": "max_length", "max_length": 40} if _fills(layout) else {}
        tokenizer = hf.AutoTokenizer.from_pretrained(folder)
        made = tokenizer(sample, return_tensors="pt", truncation=True, **padding)
    elif layout.modality == "image":
        made = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")(sample, return_tensors="pt")
    else:
        wave = sample.samples / np.float32(32768)
        extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
        made = extractor(wave, sampling_rate=sample.sampling_rate, return_tensors="pt")
    return {name: value.double() if value.is_floating_point() else value for name, value in made.items()}


def _fills(layout: Layout) -> bool:
    """SigLIP's texts are always padded to the maximum."""
    return layout.model_type.startswith("siglip")
