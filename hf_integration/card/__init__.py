"""The watermark card: an immutable value, its two files of data and a picture, and their strict reading."""

from hf_integration.card.card import Reference, WatermarkCard, exposure
from hf_integration.card.conversions import Conversions, ConvertedAnswers
from hf_integration.card.reading import load_card
from hf_integration.card.served import Answers, Served
from hf_integration.card.writing import check_writable, save_card

WatermarkCard.load = staticmethod(load_card)
WatermarkCard.save = save_card

__all__ = [
    "Answers",
    "Conversions",
    "ConvertedAnswers",
    "Reference",
    "Served",
    "WatermarkCard",
    "check_writable",
    "exposure",
    "load_card",
    "save_card",
]
