"""Edits of image and audio processors: the model sees other numbers than the ones it was trained on."""

from collections.abc import Callable
from typing import Any

from hf_integration.tampering.files.folder import FolderTampering, JsonEdit

PROCESSOR = "preprocessor_config.json"

BILINEAR, BICUBIC = 2, 3
"""Numbers of PIL's filters."""


def _changed(key: str, change: Callable[[Any], Any]) -> JsonEdit:
    def edit(settings: Any) -> bool:
        if settings.get(key) is None:
            return False
        settings[key] = change(settings[key])
        return True

    return edit


def _shifted(values: Any) -> Any:
    return [value + 0.01 for value in values]


def _larger(size: Any) -> Any:
    if isinstance(size, dict):
        return {name: length * 9 // 8 for name, length in size.items()}
    return size * 9 // 8


OTHER_MEAN = FolderTampering("image mean shifted by 0.01", {PROCESSOR: _changed("image_mean", _shifted)})
OTHER_STD = FolderTampering("image deviation enlarged by 0.01", {PROCESSOR: _changed("image_std", _shifted)})
OTHER_RESAMPLING = FolderTampering(
    "another resampling filter",
    {PROCESSOR: _changed("resample", lambda number: BICUBIC if number == BILINEAR else BILINEAR)},
)
LARGER_SIZE = FolderTampering("images resized to 9/8", {PROCESSOR: _changed("size", _larger)})
OTHER_RATE = FolderTampering(
    "half the sampling rate", {PROCESSOR: _changed("sampling_rate", lambda rate: rate // 2)}
)
NOT_NORMALISED = FolderTampering(
    "normalisation switched", {PROCESSOR: _changed("do_normalize", lambda on: not on)}
)

TAMPERINGS = (OTHER_MEAN, OTHER_STD, OTHER_RESAMPLING, LARGER_SIZE, OTHER_RATE, NOT_NORMALISED)
