from __future__ import annotations

from typing import Any

import pytest

from millrace.local.states.comparisons import compare


@pytest.mark.parametrize(
    ("operator", "value", "wanted", "holds"),
    [
        ("StringLessThan", "a", "b", True),
        ("StringGreaterThanEquals", "b", "b", True),
        ("StringMatches", "a.b", "a*b", True),
        ("StringMatches", r"a*b\c", r"a\*b\\c", True),
        ("StringMatches", "axb", r"a\*b", False),
        ("StringMatches", "two\nlines", "two*", True),
        ("NumericGreaterThanEqualsPath", 2, 2, True),
        ("NumericEquals", True, 1, False),
        ("BooleanEquals", 1, True, False),
        ("BooleanEqualsPath", True, True, True),
        ("TimestampEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("TimestampGreaterThan", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00Z", True),
        ("TimestampEquals", "2026-01-01", "2026-01-01", False),
        ("TimestampEquals", "2026-13-01T00:00:00Z", "2026-13-01T00:00:00Z", False),
        ("IsTimestamp", "2026-01-01t00:00:00Z", True, False),
        ("IsNull", None, True, True),
        ("IsBoolean", False, True, True),
    ],
)
def test_an_operator_holds_as_documented(operator: str, value: Any, wanted: Any, holds: bool) -> None:
    assert compare(operator, value, wanted) is holds


def test_an_unknown_operator_is_an_error() -> None:
    with pytest.raises(ValueError, match="NumericIsh"):
        compare("NumericIsh", 1, 1)
