"""Who published an encoder: the signature ``model.sig`` beside it, against whoever has to have made it.

It is evidence of its own. It vouches for files and not for a card, and no card makes up for it.
"""

import os
from typing import TYPE_CHECKING

from hf_integration.base.errors import InconclusiveError
from hf_integration.base.text import listed, quoted
from hf_integration.base.vocabulary import MODEL_SIGNATURE
from hf_integration.checking.finding import Place
from hf_integration.verdict import PublisherSignature

if TYPE_CHECKING:
    from hf_integration.checking.held_card import Access
    from hf_integration.encoders import Encoder

MOST_NAMED = 100
"""Files that were not signed, by name."""

NOT_CHECKED = (
    f"{MODEL_SIGNATURE} is there and was not checked: name who has to have made it with --publisher, or in "
    "sslauth.toml"
)


def look_at_publisher(encoder: "Encoder", place: Place, access: "Access") -> None:
    """Note on an encoder what came of its publisher's signature, if that is not there already.

    A signature that somebody has to have made is never passed over.

    Args:
        encoder: the encoder.
        place: where it is, and who has to have signed it.
        access: how the Hub is asked, for a signature that is not in the cache.

    Raises:
        IntegrityError: it is missing, damaged, by somebody else, or over other files.
        InconclusiveError: the encoder came from no folder, the Hub could not be asked, or there is no root of
            trust for Sigstore here.
        UsageError: a publisher is none, or the extra ``sign`` is not installed.
    """
    known = encoder.publisher
    if known is None or not (known.verified or not place.publishers):
        encoder.publisher = _signature(encoder, place, access)


def _signature(encoder: "Encoder", place: Place, access: "Access") -> PublisherSignature | None:
    folder = encoder.path
    if folder is None:
        if not place.publishers:
            return None
        raise InconclusiveError(
            f"'{encoder.name}' came from no folder, so that nobody can have signed its files",
            remedy="check the encoder as it is loaded",
        )
    if not place.publishers:
        there = os.path.lexists(folder / MODEL_SIGNATURE)
        return PublisherSignature(verified=False, said=NOT_CHECKED) if there else None
    from hf_integration.signing import check_model
    from hf_integration.snapshot import Snapshot, local_names, needed_files, resolve

    if encoder.repo is not None and not (folder / MODEL_SIGNATURE).exists():
        resolve(
            encoder.repo,
            revision=encoder.commit,
            token=access.token,
            cache_dir=access.cache_dir,
            patterns=[MODEL_SIGNATURE],
        )

    needed = needed_files(Snapshot(folder))
    for publisher in place.publishers:
        signed = check_model(folder, publisher, needed=needed)
    names = local_names(folder)
    here = signed.files.intersection(names)
    unsigned = tuple(quoted(name) for name in names if name not in signed.files and name != MODEL_SIGNATURE)
    absent = len(signed.files) - len(here)
    signer = " and ".join(map(str, place.publishers))
    said = f"signed by {signer}: {len(here)} files are as they were signed"
    said += f"; {absent} more were signed and are not here" if absent else ""
    if unsigned:
        said += f"; not signed, and not loaded by the encoder: {listed(unsigned)}"
    return PublisherSignature(True, said, signer, len(here), absent, unsigned[:MOST_NAMED])
