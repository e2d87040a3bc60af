from __future__ import annotations

import pytest

from millrace.local.bedrock.filters import InvalidFilter, check, passes

DOCUMENT = {"animal": "cat", "year": 1989, "tame": True, "colours": ["black", "white"]}


def by(operator, key, value):
    return {operator: {"key": key, "value": value}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        (by("equals", "animal", "cat"), True),
        (by("equals", "animal", "Cat"), False),
        (by("equals", "tame", True), True),
        (by("equals", "tame", 1), False),
        (by("equals", "year", 1989.0), True),
        (by("equals", "nothing", "cat"), False),
        (by("notEquals", "animal", "cat"), False),
        (by("notEquals", "animal", "dog"), True),
        (by("notEquals", "nothing", "cat"), True),
        (by("in", "animal", ["dog", "cat"]), True),
        (by("in", "animal", ["dog"]), False),
        (by("notIn", "animal", ["dog"]), True),
        (by("notIn", "animal", ["cat"]), False),
        (by("notIn", "nothing", ["cat"]), False),
        (by("greaterThan", "year", 1989), False),
        (by("greaterThanOrEquals", "year", 1989), True),
        (by("lessThan", "year", 1990), True),
        (by("lessThanOrEquals", "year", 1988), False),
        (by("greaterThan", "animal", 1), False),
        (by("greaterThan", "tame", 0), False),
        (by("listContains", "colours", "black"), True),
        (by("listContains", "colours", "bla"), False),
        (by("listContains", "animal", "cat"), False),
        (by("startsWith", "animal", "ca"), True),
        (by("startsWith", "animal", "at"), False),
        (by("startsWith", "colours", "bl"), False),
        (by("stringContains", "animal", "at"), True),
        (by("stringContains", "colours", "hit"), True),
        (by("stringContains", "year", "8"), False),
        ({"andAll": [by("equals", "animal", "cat"), by("lessThan", "year", 2000)]}, True),
        ({"andAll": [by("equals", "animal", "cat"), by("lessThan", "year", 1000)]}, False),
        ({"orAll": [by("equals", "animal", "dog"), by("lessThan", "year", 2000)]}, True),
        ({"orAll": [by("equals", "animal", "dog"), by("lessThan", "year", 1000)]}, False),
        (
            {"orAll": [{"andAll": [by("equals", "animal", "cat"), by("equals", "tame", True)]}, by("in", "x", ["y"])]},
            True,
        ),
    ],
)
def test_a_filter_decides_by_the_documents_attributes(condition, expected):
    check(condition)
    assert passes(condition, DOCUMENT) is expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (by("greaterThan", "year", "1989"), "must be a number"),
        (by("lessThan", "year", True), "must be a number"),
        (by("in", "animal", "cat"), "must be a list"),
        (by("notIn", "animal", []), "must be a list"),
        (by("startsWith", "animal", 3), "must be a string"),
        (by("equals", "animal", ["cat"]), "a string, number or boolean"),
        ({"andAll": [by("equals", "animal", "cat"), by("listContains", "colours", 3)]}, "listContains by colours"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_by_name(condition, said):
    with pytest.raises(InvalidFilter, match=said):
        check(condition)
