"""How much a stranger's JSON may hold."""

import pytest

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError

FULL = b"[" + b"1," * (strict_json.MOST_VALUES - 1) + b"1]"


def test_a_document_has_so_many_values_and_no_more() -> None:
    assert len(strict_json.parse(FULL)) == strict_json.MOST_VALUES
    with pytest.raises(FlawError, match="more than 50000 values"):
        strict_json.parse(FULL[:-1] + b",1]")


def test_a_caller_may_expect_more_or_fewer() -> None:
    assert len(strict_json.parse(FULL[:-1] + b",1]", most_values=strict_json.MOST_VALUES + 1)) == 50_001
    assert strict_json.parse(b"[1,2]", most_values=2) == [1, 2]
    with pytest.raises(FlawError, match="more than 2 values"):
        strict_json.parse(b"[1,2,3]", most_values=2)
