from __future__ import annotations

import pytest

from millrace.local.metrics.expressions import InvalidExpression, Series, parsed

KNOWN: dict[str, Series] = {"a": (1.0, None, 3.0), "b": (10.0, 20.0, None), "empty": (None, None, None)}


def value(expression: str) -> Series:
    return parsed(expression).evaluate(KNOWN)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a", (1, None, 3)),
        ("a + b", (11, None, None)),
        ("FILL(a, 0) + FILL(b, 0)", (11, 20, 3)),
        ("FILL(a, REPEAT)", (1, 1, 3)),
        ("FILL(empty, 0)", (0, 0, 0)),
        ("FILL(b, 0) - FILL(a, 0)", (9, 20, -3)),
        ("b - a - 1", (8, None, None)),
        ("2 + a * 3", (5, None, 11)),
        ("(2 + a) * 3", (9, None, 15)),
        ("100 * a / (a + FILL(b, 1))", (pytest.approx(100 / 11), None, 75)),
        ("a / 0", (None, None, None)),
        ("-a", (-1, None, -3)),
        ("a >= 3", (0, None, 1)),
        ("SUM([a, b])", (11, 20, 3)),
        ("MAX(METRICS())", (10, 20, 3)),
        ("SUM(b)", (30, 30, 30)),
        ("IF(a > 2, b, 7)", (7, None, None)),
        ("IF(FILL(a, 0) > 2, 5, 7)", (7, 7, 5)),
        ("1.5", (1.5, 1.5, 1.5)),
        ("ABS(a - 2)", (1, None, 1)),
    ],
)
def test_an_expression_has_a_value_where_all_that_it_reads_has(expression: str, values: Series) -> None:
    assert value(expression) == values


def test_an_expression_says_what_it_reads() -> None:
    assert parsed("FILL(a, 0) + b").ids == {"a", "b"}
    assert parsed("SUM(METRICS())").ids is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a +", "something is missing before the end"),
        ("a b", "'b' is not expected"),
        ("(a", ") is missing before the end"),
        ("a ? b", "'?' is not expected"),
        ("RATE(a)", "metric math has no RATE; it has ABS, AVG"),
        ("FILL(a)", "FILL takes 2 arguments"),
        ("", "something is missing before the end"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(expression: str, words: str) -> None:
    with pytest.raises(InvalidExpression) as refused:
        parsed(expression)
    assert words in str(refused.value)


def test_several_series_are_no_answer() -> None:
    with pytest.raises(InvalidExpression, match="several series"):
        value("METRICS()")
