"""What a card says about its coverage: what of the encoder the key samples reach, as measured at minting.

Its JSON has plain words for keys, which are the aliases here, in this order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, TypeAdapter

from hf_integration.base.vocabulary import Precision
from hf_integration.card.fields import MOST_TENSORS, Amount, Count, Name, Plain, Positive, at_most

_Part = tuple[Amount, Amount]
"""How many of how many."""


class _Said:
    # not strict as a whole, which would take no JSON object for a dataclass; the types of its numbers are
    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class PrecisionCoverage(_Said):
    """What is covered in one precision.

    Attributes:
        scalars: of all tensors.
        met: those of tensors that can matter, without rows that no key sample looks up.
        covered: those that an edit of the stated size is noticed in.
        tensors: that can matter.
        tensors_covered: those of them with a covered scalar.
        partly_covered: tensor -> covered of met scalars, the least covered first.
        partly_covered_besides: how many more such tensors there are.
    """

    scalars: Amount
    met: Amount
    covered: Amount
    tensors: Amount
    tensors_covered: Annotated[Amount, Field(alias="tensors covered")]
    partly_covered: Annotated[Mapping[Name, _Part], at_most(MOST_TENSORS), Field(alias="partly covered")]
    partly_covered_besides: Annotated[Amount, Field(alias="partly covered besides")]


@dataclass(frozen=True)
class LayerInput(_Said):
    """Activations of the key samples at one layer's input.

    Attributes:
        width: of the input.
        vectors: how many there are; 0 where they were not seen.
        rank: of them, ``None`` where it was not computed.
        condition: largest over smallest singular value, ``None`` below full rank.
    """

    width: Count
    vectors: Amount
    rank: Amount | None
    condition: Positive | None


@dataclass(frozen=True, kw_only=True)
class Coverage(_Said):
    """What the key samples reach.

    Attributes:
        key_samples: how many there are.
        measured: true; what was not measured is :class:`NotMeasured`.
        edit: size of the edit that a covered scalar's is noticed from, as a share of its tensor's.
        precisions: what is covered in each.
        rows_without_key_sample: lookup table -> rows that no key sample looks up, of all its rows.
        tokens_without_text: tokens that no raw text gives, where that was found out.
        cannot_matter: tensors that cannot influence the embedding, whatever their values are.
        layer_inputs: layer -> what is known of its input.
    """

    key_samples: Annotated[Count, Field(alias="key samples")]
    measured: StrictBool
    edit: Positive
    precisions: Mapping[Precision, PrecisionCoverage]
    rows_without_key_sample: Annotated[
        Mapping[Name, _Part], at_most(MOST_TENSORS), Field(alias="rows without key sample")
    ]
    tokens_without_text: Annotated[Amount | None, Field(alias="tokens that no text gives")] = None
    cannot_matter: Annotated[tuple[Name, ...], at_most(MOST_TENSORS), Field(alias="cannot matter")]
    layer_inputs: Annotated[Mapping[Name, LayerInput], at_most(MOST_TENSORS), Field(alias="layer inputs")]


@dataclass(frozen=True)
class NotMeasured(_Said):
    """Of how many key samples the coverage was not measured, and why not; ``measured`` is false."""

    key_samples: Annotated[Count, Field(alias="key samples")]
    measured: StrictBool
    reason: Plain


_COVERAGE, _NOT_MEASURED = TypeAdapter(Coverage), TypeAdapter(NotMeasured)


def read_coverage(said: object) -> Coverage | NotMeasured | None:
    """Read what the JSON of a card says; an empty object says nothing.

    Raises:
        ValidationError: an unknown key, a missing one, or a value of another kind or out of bounds.
    """
    if said == {}:
        return None
    unmeasured = isinstance(said, Mapping) and said.get("measured") is False
    return _NOT_MEASURED.validate_python(said) if unmeasured else _COVERAGE.validate_python(said)


def coverage_record(coverage: Coverage | NotMeasured | None) -> dict[str, Any]:
    """What the JSON of a card says, the inverse of :func:`read_coverage`."""
    if coverage is None:
        return {}
    adapter: TypeAdapter[Any] = _COVERAGE if isinstance(coverage, Coverage) else _NOT_MEASURED
    said: dict[str, Any] = adapter.dump_python(coverage, mode="json", by_alias=True)
    return {key: value for key, value in said.items() if value is not None}
