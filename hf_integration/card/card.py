"""The watermark card: everything that is published about one encoder, as one immutable value."""

import os
import shlex
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from hf_integration.base.vocabulary import CARD_FILE, Motif, Precision, Weights, read_date
from hf_integration.card.conversions import Conversions
from hf_integration.card.coverage import Coverage, NotMeasured
from hf_integration.card.served import Served
from hf_integration.card.source import SourceRecord
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import FolderRecord
from hf_integration.encoders.interface import EncoderDescription
from hf_integration.key_samples.samples import KeySamples
from hf_integration.watermark import Calibration, Generator


@dataclass(frozen=True, eq=False)
class Reference:
    """What the unaltered encoder gives for one pair of weights and precision.

    Attributes:
        weights: the weights as stored, or cast to a half precision.
        precision: arithmetic of the run.
        sketches: float64 tensor with shape ``(strips, keys, SKETCH_DIM)``, of all key samples, or of the
            first ones where running the others as well would be slow.
        calibrations: one per strip, in the same order.
        benign_margin: smallest margin of benign runs that calibration did not see.
    """

    weights: Weights
    precision: Precision
    sketches: Tensor
    calibrations: tuple[Calibration, ...]
    benign_margin: float

    @property
    def keys(self) -> int:
        """How many key samples it is of, from the first on."""
        return self.sketches.shape[1]


@dataclass(frozen=True, eq=False, repr=False)
class WatermarkCard:
    """A watermark card.

    Attributes:
        encoder_name: repo id or folder name of the encoder it was minted for.
        commit: Hub commit of that encoder, if it came from a Hub.
        encoder: what else is recorded about the encoder.
        created: when it was minted, ISO 8601 in UTC.
        expires: the last day (UTC) on which it is good, ``2030-01-31``, or ``None``.
        motif: what the watermark shows: ``picture``, or ``samples`` for the key samples in grey.
        libraries: versions of the libraries at minting.
        secret: whether this is a private card, never to be published.
        seed: sketches, frequencies, phases and masks follow from it.
        key_samples: the raw samples.
        watermark: picture, uint8 tensor with shape ``(side, side)``; 0 and 255 only, where it is a picture.
        generator: the trained generator.
        tolerance: largest tile error of an unaltered encoder, in units of the watermark's contrast.
        strips: names of the strips in forward order.
        references: one per supported pair of weights and precision.
        digests: weights -> tensor name -> SHA-256 of its values.
        behaviour: what the encoder's loaded objects obey, file by file and key by key.
        folder: the files of the encoder's folder, as they stand and as they are understood.
        outside: weights -> name in the weight files -> SHA-256, of tensors that the embedding does not use.
        stored: name in the weight files -> name of the loaded tensor that it became.
        coverage: what the key samples reach, as measured at minting; ``None`` where nothing is said of it.
        floor: which simulated alterations the card was shown to detect, as measured at minting.
        served: what deployments of the encoder answer to the key samples, if that was minted.
        conversions: what converted encoders are held against, if that was minted.
        source: the pickled files that the encoder says it was converted from, if it does.
        digest: ``sha256:…`` of ``card.json``, the card's identity; empty before it is written.
        location: where it was read from or written to; empty before that.
        load: :func:`hf_integration.card.load_card`.
        save: :func:`hf_integration.card.save_card`.
    """

    encoder_name: str
    commit: str | None
    encoder: EncoderDescription
    created: str
    libraries: Mapping[str, str]
    secret: bool
    # pytest prints fields that are compared: a private card's secrets stay out of logs
    seed: int = field(compare=False)
    key_samples: KeySamples = field(compare=False)
    watermark: Tensor
    generator: Generator = field(compare=False)
    tolerance: float
    strips: tuple[str, ...]
    references: tuple[Reference, ...]
    digests: Mapping[Weights, Mapping[str, bytes]]
    behaviour: Behaviour
    folder: FolderRecord = field(default_factory=FolderRecord)
    outside: Mapping[Weights, Mapping[str, bytes]] = field(default_factory=dict)
    stored: Mapping[str, str] = field(default_factory=dict)
    coverage: Coverage | NotMeasured | None = None
    floor: Mapping[str, Any] = field(default_factory=dict)
    expires: str | None = None
    motif: Motif = "picture"
    served: Served | None = None
    conversions: Conversions | None = None
    source: SourceRecord | None = None
    digest: str = ""
    location: str = ""
    # set by the package: a value does not know where cards are kept, or how they are read and written
    load: ClassVar[Callable[..., "WatermarkCard"]]
    save: ClassVar[Callable[..., "WatermarkCard"]]

    def __repr__(self) -> str:
        """Short, and without the seed and the key samples, which may be secret."""
        kind = "private" if self.secret else "public"
        return f"<{kind} watermark card for {self.encoder_name!r}, {self.digest or 'not written yet'}>"

    def expired(self, on: date) -> bool:
        """Whether the last day of the card is over on a day (UTC); a card without one never expires."""
        return self.expires is not None and on > read_date(self.expires)


def exposure(card: WatermarkCard) -> str:
    """What to say of a private card whose file modes let others read it; empty where there is nothing to say.

    Args:
        card: read from a folder.
    """
    folder = Path(card.location)
    if not card.secret or os.name != "posix":
        return ""
    try:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / CARD_FILE)]
    except OSError:
        return ""
    if not all(mode & 0o077 for mode in modes):
        return ""
    return f"the card is private, but others may read it: chmod -R go= {shlex.quote(str(folder))}"
