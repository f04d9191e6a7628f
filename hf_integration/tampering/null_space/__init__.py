"""The closed-form backdoor that leaves given samples where they are, to the rounding of the weights."""

from hf_integration.tampering.null_space.descent import Effort
from hf_integration.tampering.null_space.edit import NullSpaceEdit, null_space_family
from hf_integration.tampering.null_space.openings import (
    NoNullSpaceError,
    Opening,
    Room,
    find_opening,
    find_rooms,
)
from hf_integration.tampering.null_space.replacing import (
    Replacement,
    layers_in_turn,
    projected_descent,
    write,
)
from hf_integration.tampering.null_space.rounding import Rounding, plain, sequential

__all__ = [
    "Effort",
    "NoNullSpaceError",
    "NullSpaceEdit",
    "Opening",
    "Replacement",
    "Room",
    "Rounding",
    "find_opening",
    "find_rooms",
    "layers_in_turn",
    "null_space_family",
    "plain",
    "projected_descent",
    "sequential",
    "write",
]
