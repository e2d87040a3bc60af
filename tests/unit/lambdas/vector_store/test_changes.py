from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.histories import at, vector
from vector_store.changes import (
    INTEGER_MAX,
    INTEGER_MIN,
    Change,
    VectorRow,
    parse_change,
    parse_vector,
    read_change,
    read_vector,
    receipt_of,
    repairing,
)
from vector_store.errors import ChangeInvalid

NOW = at(7)
BIRTH = {"id": "R1/00001", "at": NOW, "born": True, "set": {"text": "MILK", "x": 0.5}}
ROW = {"id": "R1/00001", "at": NOW, "text": "MILK"}

FEW = settings(max_examples=50, deadline=None)

names = st.from_regex(r"[a-z:]{1,8}", fullmatch=True).filter(
    lambda name: name not in ("line", "word", "text") and not name.startswith("chroma:")
)
values = st.none() | st.booleans() | st.text() | st.integers(INTEGER_MIN, INTEGER_MAX) | st.floats(allow_nan=False)
changes = st.builds(
    lambda owner, number, fields: {**owner, "at": at(number), "set": fields},
    st.sampled_from(({"id": "R1/00001"}, {"id": "R-1._x/00001/00002"}, {"receipt": "R1"})),
    st.integers(0, 10**40 - 1),
    st.dictionaries(names, values.filter(lambda value: value not in (float("inf"), float("-inf"))), min_size=1),
)


@FEW
@given(changes)
def test_a_change_is_the_same_after_its_canonical_json(told: dict[str, Any]) -> None:
    change = read_change(told)
    assert parse_change(change.json()) == change
    assert parse_change(change.json().encode()).json() == change.json()


@FEW
@given(changes, st.randoms())
def test_equal_changes_have_equal_json_however_they_were_written(told: dict[str, Any], random: Any) -> None:
    fields = list(told["set"].items())
    random.shuffle(fields)
    shuffled = dict(reversed([*{**told, "set": dict(fields)}.items()]))
    assert read_change(shuffled).json() == read_change(told).json()


def test_canonical_json_is_short_and_says_what_is_so() -> None:
    assert read_change(BIRTH).json() == f'{{"at":"{NOW}","born":true,"id":"R1/00001","set":{{"text":"MILK","x":0.5}}}}'
    assert (
        read_change({"receipt": "R1", "at": NOW, "died": True}).json() == f'{{"at":"{NOW}","died":true,"receipt":"R1"}}'
    )


def test_true_and_1_and_1_0_stay_what_they_are() -> None:
    said = Change("R1/00001", NOW, set={"a": True, "b": 1, "c": 1.0})
    assert parse_change(said.json()).json().endswith('"set":{"a":true,"b":1,"c":1.0}}')


def test_an_empty_set_is_none_and_minus_zero_is_zero() -> None:
    assert read_change({**BIRTH, "set": {}}) == Change("R1/00001", NOW, born=True)
    assert read_change({**BIRTH, "set": {"x": -0.0}}).json() == read_change({**BIRTH, "set": {"x": 0.0}}).json()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": 1}, "unknown members: 'colour'"),
        ({"id": "R1"}, "id is no id"),
        ({"id": "R1/1"}, "id is no id"),
        ({"id": "R1/00001/00002/00003"}, "id is no id"),
        ({"id": "R1/0000\N{ARABIC-INDIC DIGIT ONE}"}, "id is no id"),
        ({"id": "R1/00001\n"}, "id is no id"),
        ({"id": "R" * 65 + "/00001"}, "id is no id"),
        ({"id": 7}, "id is no id"),
        ({"receipt": "R1"}, "exactly one"),
        ({"at": "7"}, "at is not 40 digits"),
        ({"at": NOW + ".1"}, "at is not 40 digits"),
        ({"at": NOW + "\n"}, "at is not 40 digits"),
        ({"at": 7}, "at is not 40 digits"),
        ({"born": False}, "born is false"),
        ({"born": "true"}, "born is a text"),
        ({"born": 1}, "born is a number"),
        ({"died": True}, "born and died"),
        ({"set": None}, "set is null"),
        ({"set": [1]}, "set is a list"),
        ({"set": {"x": [1]}}, "set.x is a list"),
        ({"set": {"x": {"y": 1}}}, "set.x is an object"),
        ({"set": {"text": 7}}, "set.text is a number"),
        ({"set": {"text": True}}, "set.text is true"),
        ({"set": {"x": float("nan")}}, "set.x is a number that is not finite"),
        ({"set": {"x": 2**63}}, "set.x is a whole number of more than 64 bits"),
        ({"set": {"x": -(2**63) - 1}}, "set.x is a whole number of more than 64 bits"),
        ({"set": {"x": "\ud800"}}, "set.x holds half of a surrogate pair"),
        ({"set": {"\ud800": 1}}, "set has a field whose name holds half"),
        ({"set": {"": 1}}, "name is empty"),
        ({"set": {"line": 1}}, "set names line"),
        ({"set": {"receipt_id": "R2"}}, "set names receipt_id"),
        ({"set": {"chroma:document": "x"}}, "set names chroma:document"),
        ({"set": {"#x": 1}}, "set names #x"),
        ({"set": {"$x": 1}}, r"set names \$x"),
    ],
)
def test_what_is_wrong_with_a_change_is_said_by_its_member(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ChangeInvalid, match=message):
        read_change({**BIRTH, **changed})


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"at": NOW, "died": True}, "exactly one"),
        ({"id": "R1/00001", "died": True}, "at is not"),
        ({"id": "R1/00001", "at": NOW}, "at least"),
        ({"id": "R1/00001", "at": NOW, "set": {}}, "at least"),
        ({"receipt": "R1", "at": NOW, "born": True}, "only a record is born"),
        ({"receipt": "R1", "at": NOW, "set": {"text": "x"}}, "only a record has a document"),
        ({"receipt": "R1/00001", "at": NOW, "died": True}, "receipt is no id"),
        ([], "a change is a list"),
        (None, "a change is null"),
        ("x", "a change is a text"),
    ],
)
def test_what_no_change_says_is_refused(told: object, message: str) -> None:
    with pytest.raises(ChangeInvalid, match=message):
        read_change(told)


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", "", "[" * 100_000, '{"x": ' + "9" * 5_000 + "}", '{"id": 1} {}', "NaN", b"\xef\xbb\xbf{}"]
)
def test_a_line_that_is_no_change_is_a_sentence_and_no_crash(line: str | bytes) -> None:
    with pytest.raises(ChangeInvalid):
        parse_change(line)


def test_a_message_never_holds_the_text_of_a_document() -> None:
    for told in ({"set": {"text": "SECRET\ud800"}}, {"set": "SECRET"}, {"born": "SECRET"}, {"at": "SECRET"}):
        with pytest.raises(ChangeInvalid) as raised:
            read_change({**BIRTH, **told})
        assert "SECRET" not in str(raised.value)


def test_a_repair_is_later_than_what_it_repairs_and_earlier_than_what_comes_next() -> None:
    first, second = repairing(NOW, 1), repairing(repairing(NOW, 1), 2)
    assert NOW < first < second < at(8)
    assert read_change({**BIRTH, "at": second}).at == second
    for number in (0, 10**8):
        with pytest.raises(ChangeInvalid, match="a repair's number"):
            repairing(NOW, number)


def test_the_receipt_of_a_record_is_the_first_part_of_its_id() -> None:
    assert [receipt_of(owner) for owner in ("R1/00001/00002", "R1/00001", "R1")] == ["R1"] * 3


def test_a_vector_is_read_with_its_numbers() -> None:
    data = vector(0.5, -1.0)
    assert parse_vector(json.dumps(ROW), data, dimension=2, delta_at=at(9)) == VectorRow("R1/00001", NOW, "MILK", data)


def test_a_vector_without_a_time_has_its_deltas() -> None:
    for row in ({**ROW, "at": None}, {"id": "R1/00001", "text": "MILK"}):
        assert read_vector(row, vector(1), dimension=1, delta_at=at(9)).at == at(9)


@pytest.mark.parametrize(
    ("changed", "data", "message"),
    [
        ({}, vector(1, 2)[:-1], "the vector has 7 bytes; allowed: 2 float32"),
        ({}, vector(1), "the vector has 4 bytes"),
        ({}, b"", "the vector has 0 bytes"),
        ({}, vector(1, float("nan")), "not finite"),
        ({}, vector(float("inf"), 1), "not finite"),
        ({"text": None}, vector(1, 2), "text is null"),
        ({"id": "R1"}, vector(1, 2), "id is no id"),
        ({"at": "soon"}, vector(1, 2), "at is not"),
        ({"set": {}}, vector(1, 2), "unknown members: 'set'"),
    ],
)
def test_what_is_wrong_with_a_vector_is_said(changed: dict[str, Any], data: bytes, message: str) -> None:
    with pytest.raises(ChangeInvalid, match=message):
        read_vector({**ROW, **changed}, data, dimension=2, delta_at=at(9))
