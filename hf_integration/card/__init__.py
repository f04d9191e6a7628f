"""The watermark card: an immutable value, its two files of data and a picture, and their strict reading."""

from hf_integration.card.card import Reference, WatermarkCard, exposure
from hf_integration.card.writing import check_writable

__all__ = ["Reference", "WatermarkCard", "check_writable", "exposure"]
