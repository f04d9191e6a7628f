"""A digest of which encoder was checked, altered or not: what a waiver names."""

import hashlib
from collections.abc import Mapping

from hf_integration.encoders.behaviour import spoken_behaviour
from hf_integration.encoders.canonical import canonical
from hf_integration.encoders.interface import Encoder


def state_of(encoder: Encoder, digests: Mapping[str, bytes], outside: Mapping[str, bytes]) -> str:
    """``sha256:…`` over all that a check compares: tensors, behaviour, and code found on the model.

    Independent of file layout and of defaults that a newer library adds.

    Args:
        encoder: the encoder.
        digests: of its tensors.
        outside: of those that the embedding does not use.

    Returns:
        The digest, or an empty string for an encoder without tensors: what can only be queried has no state
        that could be told from another.
    """
    if not encoder.has_weights:
        return ""
    described = encoder.description
    state = {
        "kind": [described.modality, described.architecture, described.embedding_dim, described.pooling],
        "tensors": {name: digest.hex() for name, digest in digests.items()},
        "outside": {name: digest.hex() for name, digest in outside.items()},
        "behaviour": spoken_behaviour(encoder.behaviour()),
        "files": {} if encoder.folder is None else spoken_behaviour(encoder.folder.files),
        "code": sorted(encoder.in_process_changes()),
    }
    return f"sha256:{hashlib.sha256(canonical(state).encode()).hexdigest()}"
