"""Layouts that are refused, each with words of the reason that is true."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.zoo import processors as of
from tests.zoo.layout import Layout
from tests.zoo.tiny import LEFT_OUT

_BOTH = "sequence-to-sequence model"
_VIDEO = "it takes videos"
_TIME = "it takes time series"

# type -> processor, settings, words of the reason
REFUSED: Mapping[str, tuple[Any, dict[str, Any], str]] = {
    "fsmt": (of.wordpiece, {"src_vocab_size": 60, "tgt_vocab_size": 60}, _BOTH),
    "videomae": (of.images(32), {}, _VIDEO),
    "vivit": (of.images(32), {"tubelet_size": [2, 8, 8]}, _VIDEO),
    "vjepa2": (
        of.images(32),
        {"pred_hidden_size": 32, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1},
        _VIDEO,
    ),
    "timesformer": (of.images(32), {}, "cannot be run on one image"),
    "patchtst": (of.images(32), {}, _TIME),
    "time_series_transformer": (of.images(32), {"prediction_length": 4}, _TIME),
    "flava": (of.wordpiece, {}, "it takes pixel_values besides text"),
    "vilt": (of.wordpiece, {}, "it takes pixel_values besides text"),
    "layoutlmv3": (
        of.wordpiece,
        {"coordinate_size": 4, "shape_size": 4, "has_spatial_attention_bias": False},
        "it takes pixel_values besides text",
    ),
    "bros": (of.wordpiece, {}, "cannot be run on text alone"),
    "encodec": (
        of.waves,
        {"hidden_size": 16, "num_filters": 2, "codebook_size": 16, "codebook_dim": 16},
        "no embedding",
    ),
    "mra": (of.wordpiece, {}, "same dtype"),
    # its mask is 0 times the smallest number of float64, in float32
    "prophetnet": (
        of.wordpiece,
        {"num_encoder_layers": 1, "num_hidden_layers": LEFT_OUT},
        "differ by nan",
    ),
    "canine": (of.canine, {}, "differ by nan"),
}


def refused_layouts() -> Iterator[Layout]:
    """All of them, in a fixed order."""
    modalities: dict[Any, Any] = {
        of.whisper: "audio",
        of.waves: "audio",
        of.wordpiece: "text",
        of.canine: "text",
    }
    for kind, (processor, settings, why) in REFUSED.items():
        modality = modalities.get(processor, "image")
        yield Layout(kind, kind, modality, "mean", processor, settings, refused=why)
