from __future__ import annotations

from typing import Any

import msgpack
import pytest
from tf.gen import tfplugin_pb2 as pb

from millrace.local.terraform_provider.wire import UNKNOWN, decode, encode, holds_unknown, is_unknown, settle

BLOCK: dict[str, Any] = {
    "attributes": {
        "name": {"type": "string"},
        "threshold": {"type": "number"},
        "limits": {"type": ["map", "number"]},
        "sizes": {"type": ["list", "number"]},
    },
    "block_types": {"rule": {"nesting_mode": "list", "block": {"attributes": {"days": {"type": "number"}}}}},
}
EMPTY = {"name": None, "threshold": None, "limits": None, "sizes": None, "rule": []}


def sent(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def test_a_number_that_travels_as_text_is_read_as_a_number_wherever_it_stands() -> None:
    value = EMPTY | {"threshold": "0.1", "limits": {"a": "2.5"}, "sizes": ["3"], "rule": [{"days": "0.5"}]}
    assert decode(sent(value), BLOCK) == EMPTY | {
        "threshold": 0.1,
        "limits": {"a": 2.5},
        "sizes": [3],
        "rule": [{"days": 0.5}],
    }


def test_a_string_that_looks_like_a_number_stays_a_string() -> None:
    assert decode(sent(EMPTY | {"name": "0.1"}), BLOCK)["name"] == "0.1"


@pytest.mark.parametrize("number", [0.1, 2.5, 3, -7, 2**40])
def test_a_number_comes_back_exactly(number: float) -> None:
    assert decode(encode(EMPTY | {"threshold": number}), BLOCK)["threshold"] == number


def test_a_fraction_is_sent_as_text_because_terraform_reads_more_digits_than_a_float_has() -> None:
    assert msgpack.unpackb(encode({"threshold": 0.1}).msgpack) == {"threshold": "0.1"}


@pytest.mark.parametrize("extension", [msgpack.ExtType(0, b"\x00"), msgpack.ExtType(12, b"\x81\x01\xc2")])
def test_an_unknown_value_is_unknown_whatever_is_known_of_it(extension: msgpack.ExtType) -> None:
    value = decode(sent(EMPTY | {"name": extension, "rule": extension}), BLOCK)
    assert value["name"] == UNKNOWN
    assert is_unknown(value["rule"])
    assert holds_unknown(value)


def test_what_nobody_said_after_apply_is_null() -> None:
    assert settle({"a": UNKNOWN, "b": [{"c": UNKNOWN}, "d"]}) == {"a": None, "b": [{"c": None}, "d"]}


def test_an_object_that_does_not_exist_is_none() -> None:
    assert decode(encode(None), BLOCK) is None
