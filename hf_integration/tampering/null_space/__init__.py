"""The closed-form backdoor that leaves given samples where they are, to the rounding of the weights."""

from hf_integration.tampering.null_space.edit import NullSpaceEdit, null_space_family
from hf_integration.tampering.null_space.opening import NoNullSpaceError, Opening, find_opening

__all__ = ["NoNullSpaceError", "NullSpaceEdit", "Opening", "find_opening", "null_space_family"]
