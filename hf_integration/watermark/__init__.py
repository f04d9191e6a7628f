"""The fragile watermark: sketches, calibration, generator and comparison. Knows torch and nothing else."""

from hf_integration.watermark.calibration import GROUP, KINDS, TILE, Calibration, Layout, calibrate
from hf_integration.watermark.generator import Generator, edge_error, targets, tile_errors, train
from hf_integration.watermark.sketch import SKETCH_DIM, sketch

__all__ = [
    "GROUP",
    "KINDS",
    "SKETCH_DIM",
    "TILE",
    "Calibration",
    "Generator",
    "Layout",
    "calibrate",
    "edge_error",
    "sketch",
    "targets",
    "tile_errors",
    "train",
]
