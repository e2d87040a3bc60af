from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.strict_json import NotJson, parse, pointer, shown

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values, st.booleans())
def test_what_is_json_is_read_as_it_is(value: object, escaped: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is not JSON"),
        (b'{"a": 1', "line 1 column 8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "byte 0xff at offset 7"),
        ('{"a": "é"}'.encode("latin-1"), "is not UTF-8"),
        ("{}".encode("utf-16"), "is not UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "b": 2, "a": 3}', 'the name "a" twice'),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"9" * 5_000, "too many digits"),
    ],
)
def test_what_is_not_json_is_refused_with_its_reason(body: bytes, says: str) -> None:
    with pytest.raises(NotJson, match=says):
        parse(body)


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(NotJson):
        parse(body)


@given(json_values)
def test_a_value_in_a_message_stays_short_and_on_one_line(value: object) -> None:
    assert len(shown(value)) <= 80
    assert "\n" not in shown(value)


def test_a_huge_value_is_shown_in_part() -> None:
    assert shown("x" * 10_000_000) == '"' + "x" * 76 + "..."


def test_a_pointer_escapes_what_rfc_6901_escapes() -> None:
    assert pointer() == "/"
    assert pointer("Attributes", "a/b~c", 3) == "/Attributes/a~1b~0c/3"
